using Fastgen.Engine.Text.Templates.Nodes;

namespace Fastgen.Engine.Text.Templates.Syntax;

internal sealed partial class Parser
{
    private static readonly ArgumentList NoArguments = new([], [], null, null);

    private CallExpression ParseCall(Expression target)
    {
        int line = Current.Line;
        return new CallExpression(target, ParseArguments(), line);
    }

    private ArgumentList ParseArguments()
    {
        int line = Current.Line;
        ExpectOperator("(");
        var positional = new List<Expression>();
        var named = new List<KeyValuePair<string, Expression>>();
        Expression? spread = null;
        Expression? namedSpread = null;
        bool first = true;
        while (!Current.IsOperator(")"))
        {
            if (!first)
            {
                ExpectOperator(",");
                if (Current.IsOperator(")"))
                {
                    break;
                }
            }

            first = false;
            if (Current.IsOperator("*"))
            {
                Ensure(spread is null && namedSpread is null, line);
                Next();
                spread = ParseExpression();
            }
            else if (Current.IsOperator("**"))
            {
                Ensure(namedSpread is null, line);
                Next();
                namedSpread = ParseExpression();
            }
            else if (Current.Kind == TokenKind.Name && Ahead.IsOperator("="))
            {
                string name = Next().Text;
                Ensure(namedSpread is null && !named.Exists(argument => argument.Key == name), line);
                Next();
                named.Add(new(name, ParseExpression()));
            }
            else
            {
                Ensure(spread is null && namedSpread is null && named.Count == 0, line);
                positional.Add(ParseExpression());
            }
        }

        Next();
        return new ArgumentList([.. positional], [.. named], spread, namedSpread);
    }

    private static void Ensure(bool valid, int line)
    {
        if (!valid)
        {
            throw Fail("invalid syntax for function call expression", line);
        }
    }

    private Expression ParseFilters(Expression expression)
    {
        while (true)
        {
            if (Current.IsOperator("|"))
            {
                Next();
                expression = ParseFilter(expression);
            }
            else if (Current.IsName("is"))
            {
                expression = ParseTest(expression);
            }
            else if (Current.IsOperator("("))
            {
                expression = ParseCall(expression);
            }
            else
            {
                return expression;
            }
        }
    }

    private FilterExpression ParseFilter(Expression? subject)
    {
        int line = Current.Line;
        string name = ParseDottedName();
        return new FilterExpression(subject, name, Current.IsOperator("(") ? ParseArguments() : NoArguments, line);
    }

    /// <summary>The filters of a block: filter name | name, or after set target | name.</summary>
    private FilterExpression? ParseBlockFilters(bool startsInline)
    {
        FilterExpression? filter = startsInline ? ParseFilter(null) : null;
        while (SkipOperator("|"))
        {
            filter = ParseFilter(filter);
        }

        return filter;
    }

    private string ParseDottedName()
    {
        string name = Expect(TokenKind.Name, "name").Text;
        while (SkipOperator("."))
        {
            name += "." + Expect(TokenKind.Name, "name").Text;
        }

        return name;
    }

    private Expression ParseTest(Expression subject)
    {
        int line = Next().Line;
        bool negated = SkipName("not");
        string name = ParseDottedName();
        ArgumentList arguments = NoArguments;
        if (Current.IsOperator("("))
        {
            arguments = ParseArguments();
        }
        else if (StartsTestArgument())
        {
            if (Current.IsName("is"))
            {
                throw Fail("You cannot chain multiple tests with is");
            }

            Enter();
            arguments = new ArgumentList([ParsePostfix(ParsePrimary())], [], null, null);
            Leave();
        }

        Expression test = new TestExpression(subject, name, arguments, line);
        return negated ? new NotExpression(test, line) : test;
    }

    private bool StartsTestArgument() => Current.Kind switch
    {
        TokenKind.Name => Current.Text is not ("else" or "or" or "and"),
        TokenKind.String or TokenKind.Integer or TokenKind.Float => true,
        TokenKind.Operator => Current.Text is "[" or "{",
        _ => false,
    };
}
