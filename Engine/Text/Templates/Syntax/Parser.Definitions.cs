using Fastgen.Engine.Text.Templates.Nodes;

namespace Fastgen.Engine.Text.Templates.Syntax;

internal sealed partial class Parser
{
    private MacroStatement ParseMacro(int line)
    {
        Token name = Expect(TokenKind.Name, "name");
        RefuseReserved(name);
        (string[] parameters, Expression[] defaults) = ParseParameters();
        return new MacroStatement(ParseFunction(name.Text, parameters, defaults, "endmacro", line), line);
    }

    private CallBlockStatement ParseCallBlock(int line)
    {
        (string[] parameters, Expression[] defaults) = Current.IsOperator("(") ? ParseParameters() : ([], []);
        if (ParseExpression() is not CallExpression call)
        {
            throw Fail("expected call", line);
        }

        Checked(call);
        return new CallBlockStatement(call, ParseFunction(null, parameters, defaults, "endcall", line), line);
    }

    private MacroDefinition ParseFunction(string? name, string[] parameters, Expression[] defaults, string end, int line)
    {
        var names = new HashSet<string>();
        _macroNames.Add(names);
        Body body = ParseOwnBody(end, isFunction: true);
        _macroNames.RemoveAt(_macroNames.Count - 1);
        int caller = Array.IndexOf(parameters, "caller");
        if (caller >= 0 && caller < parameters.Length - defaults.Length && names.Contains("caller"))
        {
            throw Fail("When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default.", line);
        }

        return new MacroDefinition(name, parameters, defaults, body)
        {
            UsesCaller = names.Contains("caller"),
            UsesKwargs = names.Contains("kwargs") && !parameters.Contains("kwargs"),
            UsesVarargs = names.Contains("varargs") && !parameters.Contains("varargs"),
        };
    }

    private (string[] Parameters, Expression[] Defaults) ParseParameters()
    {
        bool lenient = _lenient;
        _lenient = false;
        var parameters = new List<string>();
        var defaults = new List<Expression>();
        ExpectOperator("(");
        while (!Current.IsOperator(")"))
        {
            if (parameters.Count > 0)
            {
                ExpectOperator(",");
            }

            Token parameter = Expect(TokenKind.Name, "name");
            RefuseReserved(parameter, isParameter: true);
            if (parameters.Contains(parameter.Text))
            {
                throw Fail($"duplicate argument '{parameter.Text}' in function definition", parameter.Line);
            }

            if (SkipOperator("="))
            {
                defaults.Add(Checked(ParseExpression()));
            }
            else if (defaults.Count > 0)
            {
                throw Fail("non-default argument follows default argument");
            }

            parameters.Add(parameter.Text);
        }

        Next();
        _lenient = lenient;
        return ([.. parameters], [.. defaults]);
    }

    private Target ParseTarget(bool withNamespace = false)
    {
        var targets = new List<Target>();
        bool isTuple = false;
        while (true)
        {
            if (targets.Count > 0)
            {
                ExpectOperator(",");
            }

            if (AtTupleEnd())
            {
                break;
            }

            targets.Add(ParseTargetPart(withNamespace));
            if (!Current.IsOperator(","))
            {
                break;
            }

            isTuple = true;
        }

        if (isTuple)
        {
            return new TupleTarget([.. targets]);
        }

        return targets.Count == 1 ? targets[0] : throw Fail($"Expected an expression, got '{Current.Describe()}'");
    }

    private Target ParseTargetPart(bool withNamespace)
    {
        Token token = Next();
        if (token.IsOperator("("))
        {
            Enter();
            Target inner = Current.IsOperator(")") ? new TupleTarget([]) : ParseTarget();
            Leave();
            ExpectOperator(")");
            return inner;
        }

        if (token.Kind != TokenKind.Name)
        {
            throw Fail(token.Kind is TokenKind.String or TokenKind.Integer or TokenKind.Float ? "can't assign to 'const'" : $"unexpected '{token.Describe()}'", token.Line);
        }

        if (withNamespace && Current.IsOperator("."))
        {
            Next();
            return new NamespaceTarget(token.Text, Expect(TokenKind.Name, "name").Text);
        }

        RefuseReserved(token);
        return new NameTarget(token.Text);
    }

    private void RefuseReserved(Token name, bool isParameter = false)
    {
        if (name.Text is "true" or "false" or "none" or "True" or "False" or "None")
        {
            throw Fail($"can't assign to '{name.Text}'", name.Line);
        }

        if (name.Text == "loop" && _insideFor > 0 && !isParameter)
        {
            throw Fail("Can't assign to special loop variable in for-loop", name.Line);
        }
    }
}
