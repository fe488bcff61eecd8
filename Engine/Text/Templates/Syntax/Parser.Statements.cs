using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Python;

namespace Fastgen.Engine.Text.Templates.Syntax;

internal sealed partial class Parser
{
    /// <summary>Statements up to one of <paramref name="ends"/> (which stays the current token), or to the end when there are none.</summary>
    private Body ParseBody(ReadOnlySpan<string> ends)
    {
        Enter();
        var statements = new List<Statement>();
        while (Current.Kind != TokenKind.End)
        {
            Token token = Next();
            switch (token.Kind)
            {
                case TokenKind.Data:
                    statements.Add(new TextStatement(token.Text, token.Line));
                    break;
                case TokenKind.VariableBegin:
                    statements.Add(new PrintStatement(Checked(ParseTuple()), token.Line));
                    Expect(TokenKind.VariableEnd, "end of print statement");
                    break;
                default:
                    if (Current.Kind == TokenKind.Name && ends.Contains(Current.Text))
                    {
                        Leave();
                        return new Body([.. statements]);
                    }

                    ParseStatement(statements, ends);
                    Expect(TokenKind.BlockEnd, "end of statement block");
                    break;
            }
        }

        if (ends.Length > 0)
        {
            throw Fail($"Unexpected end of template. Jinja was looking for the following tags: {string.Join(" or ", ends.ToArray().Select(end => $"'{end}'"))}.");
        }

        Leave();
        return new Body([.. statements]);
    }

    private Body ParseBlockBody(params ReadOnlySpan<string> ends)
    {
        SkipOperator(":");
        Expect(TokenKind.BlockEnd, "end of statement block");
        return ParseBody(ends);
    }

    /// <summary>A body that the reference compiles as a frame of its own: unknown filters are errors at once again.</summary>
    private Body ParseOwnBody(string end, bool isFunction = false)
    {
        (bool lenient, bool topLevel, int loopDepth) = (_lenient, _topLevel, _loopDepth);
        (_lenient, _topLevel) = (false, false);
        _loopDepth = isFunction ? 0 : loopDepth;
        Body body = ParseBlockBody(end);
        Next();
        (_lenient, _topLevel, _loopDepth) = (lenient, topLevel, loopDepth);
        return body;
    }

    private void ParseStatement(List<Statement> statements, ReadOnlySpan<string> ends)
    {
        Token tag = Current.Kind == TokenKind.Name ? Next() : throw Fail("tag name expected");
        int line = tag.Line;
        switch (tag.Text)
        {
            case "for": statements.Add(ParseFor(line)); break;
            case "if": statements.Add(ParseIf(line)); break;
            case "set": statements.Add(ParseSet(line)); break;
            case "macro": statements.Add(ParseMacro(line)); break;
            case "call": statements.Add(ParseCallBlock(line)); break;
            case "filter": statements.Add(ParseFilterBlock(line)); break;
            case "with": statements.Add(ParseWith(line)); break;
            case "block": statements.Add(ParseNamedBlock(line)); break;
            case "print": ParsePrint(statements, line); break;
            case "autoescape":
                Expression enabled = Checked(ParseExpression());
                statements.Add(new AutoEscapeStatement(enabled, ParseOwnBody("endautoescape"), line));
                break;
            case "generation":
                statements.Add(new GenerationStatement(ParseFunction(null, [], [], "endgeneration", line), line));
                break;
            case "break" or "continue":
                if (_loopDepth == 0)
                {
                    throw Fail($"'{tag.Text}' outside loop", line);
                }

                statements.Add(new JumpStatement(tag.Text == "break" ? Flow.Break : Flow.Continue, line));
                break;
            case "extends" or "include" or "import" or "from":
                statements.Add(ParseLoad(tag));
                break;
            default:
                throw Fail(
                    $"Encountered unknown tag '{tag.Text}'." + (ends.Length == 0 ? "" : $" Jinja was looking for the following tags: {string.Join(" or ", ends.ToArray().Select(end => $"'{end}'"))}."),
                    line);
        }
    }

    private ForStatement ParseFor(int line)
    {
        _insideFor++;
        Target target = ParseTarget();
        ExpectName("in");
        Expression items = Checked(ParseTuple(withCondition: false));
        (bool lenient, bool topLevel, int loopDepth) = (_lenient, _topLevel, _loopDepth);
        (_lenient, _topLevel) = (false, false);
        Expression? condition = SkipName("if") ? Checked(ParseExpression()) : null;
        bool recursive = SkipName("recursive");
        _loopDepth++;
        Body body = ParseBlockBody("endfor", "else");
        _loopDepth = recursive ? 0 : loopDepth;
        Body otherwise = new([]);
        if (Next().Text == "else")
        {
            otherwise = ParseBlockBody("endfor");
            Next();
        }

        (_lenient, _topLevel, _loopDepth) = (lenient, topLevel, loopDepth);
        _insideFor--;
        return new ForStatement(target, items, condition, recursive, body, otherwise, line);
    }

    private IfStatement ParseIf(int line)
    {
        bool lenient = _lenient;
        _lenient = true;
        var branches = new List<KeyValuePair<Expression, Body>>();
        Body otherwise = new([]);
        while (true)
        {
            Expression condition = Checked(ParseTuple(withCondition: false));
            branches.Add(new(condition, ParseBlockBody("elif", "else", "endif")));
            string end = Next().Text;
            if (end == "elif")
            {
                continue;
            }

            if (end == "else")
            {
                otherwise = ParseBlockBody("endif");
                Next();
            }

            _lenient = lenient;
            return new IfStatement([.. branches], otherwise, line);
        }
    }

    private Statement ParseSet(int line)
    {
        Target target = ParseTarget(withNamespace: true);
        if (SkipOperator("="))
        {
            return new SetStatement(target, Checked(ParseTuple()), line);
        }

        bool lenient = _lenient;
        _lenient = false;
        FilterExpression? filter = ParseBlockFilters(startsInline: false);
        if (filter is not null)
        {
            Checked(filter);
        }

        Body body = ParseOwnBody("endset");
        _lenient = lenient;
        return new SetBlockStatement(target, filter, body, line);
    }

    private FilterBlockStatement ParseFilterBlock(int line)
    {
        bool lenient = _lenient;
        _lenient = false;
        FilterExpression filter = Checked(ParseBlockFilters(startsInline: true)!);
        Body body = ParseOwnBody("endfilter");
        _lenient = lenient;
        return new FilterBlockStatement(filter, body, line);
    }

    private WithStatement ParseWith(int line)
    {
        var assignments = new List<KeyValuePair<Target, Expression>>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (assignments.Count > 0)
            {
                ExpectOperator(",");
            }

            Target target = ParseTarget();
            ExpectOperator("=");
            assignments.Add(new(target, Checked(ParseExpression())));
        }

        return new WithStatement([.. assignments], ParseOwnBody("endwith"), line);
    }

    private void ParsePrint(List<Statement> statements, int line)
    {
        for (bool first = true; Current.Kind != TokenKind.BlockEnd; first = false)
        {
            if (!first)
            {
                ExpectOperator(",");
            }

            statements.Add(new PrintStatement(Checked(ParseExpression()), line));
        }
    }

    private BlockStatement ParseNamedBlock(int line)
    {
        string name = Expect(TokenKind.Name, "name").Text;
        bool scoped = SkipName("scoped");
        bool required = SkipName("required");
        if (Current.IsOperator("-"))
        {
            throw Fail("Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.");
        }

        Body body = ParseOwnBody("endblock", isFunction: true);
        if (required && !body.Statements.All(statement => statement is TextStatement text && PythonText.IsSpace(text.Text)))
        {
            throw Fail("Required blocks can only contain comments or whitespace", line);
        }

        SkipName(name);
        var block = new BlockStatement(name, scoped, required, body, line);
        return _blocks.TryAdd(name, block) ? block : throw Fail($"block '{name}' defined twice", line);
    }

    private LoadStatement ParseLoad(Token tag)
    {
        if (tag.Text == "extends" && !_topLevel)
        {
            throw Fail("cannot use extend from a non top-level scope", tag.Line);
        }

        Checked(ParseExpression());
        if (tag.Text == "include" && Current.IsName("ignore") && Ahead.IsName("missing"))
        {
            Next();
            Next();
        }

        if (tag.Text == "import")
        {
            ExpectName("as");
            Expect(TokenKind.Name, "name");
        }
        else if (tag.Text == "from")
        {
            ParseImportedNames();
        }

        if ((Current.IsName("with") || Current.IsName("without")) && Ahead.IsName("context"))
        {
            Next();
            Next();
        }

        return new LoadStatement(tag.Text, tag.Line);
    }

    private void ParseImportedNames()
    {
        ExpectName("import");
        do
        {
            Expect(TokenKind.Name, "name");
            if (SkipName("as"))
            {
                Expect(TokenKind.Name, "name");
            }
        }
        while (SkipOperator(","));
    }
}
