using System.Globalization;
using System.Numerics;
using Fastgen.Engine.Text.Templates.Nodes;
using Fastgen.Engine.Text.Templates.Python;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Syntax;

internal sealed partial class Parser
{
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];

    private Expression ParseExpression(bool withCondition = true)
    {
        Enter();
        Expression expression = withCondition ? ParseCondition() : ParseOr();
        Leave();
        return expression;
    }

    /// <summary>An expression, or a tuple where commas follow.</summary>
    private Expression ParseTuple(bool withCondition = true, bool parenthesized = false)
    {
        int line = Current.Line;
        var items = new List<Expression>();
        bool isTuple = false;
        while (true)
        {
            if (items.Count > 0)
            {
                ExpectOperator(",");
            }

            if (AtTupleEnd())
            {
                break;
            }

            items.Add(ParseExpression(withCondition));
            if (!Current.IsOperator(","))
            {
                break;
            }

            isTuple = true;
        }

        if (!isTuple && items.Count > 0)
        {
            return items[0];
        }

        return isTuple || parenthesized
            ? new SequenceExpression(SequenceKind.Tuple, [.. items], line)
            : throw Fail($"Expected an expression, got '{Current.Describe()}'");
    }

    // "in" and "recursive" end no tuple in the reference either, whatever its source intends: "for a, in b" is refused.
    private bool AtTupleEnd() => Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || Current.IsOperator(")");

    private Expression ParseCondition()
    {
        int line = Current.Line;
        Expression expression = ParseOr();
        while (SkipName("if"))
        {
            Expression condition = ParseOr();
            Expression? otherwise = null;
            if (SkipName("else"))
            {
                Enter();
                otherwise = ParseCondition();
                Leave();
            }

            expression = new ConditionalExpression(condition, expression, otherwise, line);
            line = Current.Line;
        }

        return expression;
    }

    private Expression ParseOr()
    {
        int line = Current.Line;
        Expression left = ParseAnd();
        while (SkipName("or"))
        {
            left = new LogicExpression(isAnd: false, left, ParseAnd(), line);
        }

        return left;
    }

    private Expression ParseAnd()
    {
        int line = Current.Line;
        Expression left = ParseNot();
        while (SkipName("and"))
        {
            left = new LogicExpression(isAnd: true, left, ParseNot(), line);
        }

        return left;
    }

    private Expression ParseNot()
    {
        int line = Current.Line;
        if (!SkipName("not"))
        {
            return ParseComparison();
        }

        Enter();
        var expression = new NotExpression(ParseNot(), line);
        Leave();
        return expression;
    }

    private Expression ParseComparison()
    {
        int line = Current.Line;
        Expression first = ParseSum();
        var rest = new List<KeyValuePair<string, Expression>>();
        while (true)
        {
            if (Current.Kind == TokenKind.Operator && Comparisons.Contains(Current.Text))
            {
                string symbol = Next().Text;
                rest.Add(new(symbol, ParseSum()));
            }
            else if (SkipName("in"))
            {
                rest.Add(new("in", ParseSum()));
            }
            else if (Current.IsName("not") && Ahead.IsName("in"))
            {
                Next();
                Next();
                rest.Add(new("not in", ParseSum()));
            }
            else
            {
                return rest.Count == 0 ? first : new CompareExpression(first, [.. rest], line);
            }
        }
    }

    private Expression ParseSum() => ParseBinary(ParseConcat, "+", "-");

    private Expression ParseConcat()
    {
        int line = Current.Line;
        var parts = new List<Expression> { ParseProduct() };
        while (SkipOperator("~"))
        {
            parts.Add(ParseProduct());
        }

        return parts.Count == 1 ? parts[0] : new ConcatExpression([.. parts], line);
    }

    private Expression ParseProduct() => ParseBinary(ParsePower, "*", "/", "//", "%");

    private Expression ParsePower()
    {
        int line = Current.Line;
        Expression left = ParseUnary();
        while (SkipOperator("**"))
        {
            left = new PowerExpression(left, ParseUnary(), line);
        }

        return left;
    }

    private Expression ParseBinary(Func<Expression> operand, params ReadOnlySpan<string> symbols)
    {
        int line = Current.Line;
        Expression left = operand();
        while (Current.Kind == TokenKind.Operator && symbols.Contains(Current.Text))
        {
            string symbol = Next().Text;
            left = new BinaryExpression(symbol, left, operand(), line);
        }

        return left;
    }

    private Expression ParseUnary(bool withFilters = true)
    {
        Token token = Current;
        Expression expression;
        if (token.IsOperator("-") || token.IsOperator("+"))
        {
            Next();
            Enter();
            expression = new UnaryExpression(token.Text[0], ParseUnary(withFilters: false), token.Line);
            Leave();
        }
        else
        {
            expression = ParsePrimary();
        }

        expression = ParsePostfix(expression);
        return withFilters ? ParseFilters(expression) : expression;
    }

    private Expression ParsePrimary()
    {
        Token token = Next();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return ParseName(token);
            case TokenKind.String:
                string text = token.Text;
                while (Current.Kind == TokenKind.String)
                {
                    text += Next().Text;
                }

                return new ConstantExpression(new StrValue(text), token.Line);
            case TokenKind.Integer:
                return new ConstantExpression(
                    IntegerFormat.TryParse(token.Text, 0, out BigInteger value) ? IntValue.Of(value) : throw Fail($"the integer {token.Text[..Math.Min(20, token.Text.Length)]}... has too many digits", token.Line),
                    token.Line);
            case TokenKind.Float:
                return new ConstantExpression(new FloatValue(double.Parse(token.Text, CultureInfo.InvariantCulture)), token.Line);
            case TokenKind.Operator when token.Text == "(":
                Expression inner = ParseTuple(parenthesized: true);
                ExpectOperator(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                return new SequenceExpression(SequenceKind.List, [.. ParseItems("]", () => ParseExpression())], token.Line);
            case TokenKind.Operator when token.Text == "{":
                return new DictExpression([.. ParseItems("}", ParseEntry)], token.Line);
            default:
                throw Fail($"unexpected '{token.Describe()}'", token.Line);
        }
    }

    private Expression ParseName(Token token)
    {
        switch (token.Text)
        {
            case "true" or "True":
                return new ConstantExpression(BoolValue.True, token.Line);
            case "false" or "False":
                return new ConstantExpression(BoolValue.False, token.Line);
            case "none" or "None":
                return new ConstantExpression(NoneValue.Instance, token.Line);
        }

        foreach (HashSet<string> names in _macroNames)
        {
            names.Add(token.Text);
        }

        return new NameExpression(token.Text, token.Line);
    }

    private KeyValuePair<Expression, Expression> ParseEntry()
    {
        Expression key = ParseExpression();
        ExpectOperator(":");
        return new(key, ParseExpression());
    }

    private List<T> ParseItems<T>(string close, Func<T> parse)
    {
        var items = new List<T>();
        while (!Current.IsOperator(close))
        {
            if (items.Count > 0)
            {
                ExpectOperator(",");
                if (Current.IsOperator(close))
                {
                    break;
                }
            }

            items.Add(parse());
        }

        Next();
        return items;
    }

    private Expression ParsePostfix(Expression expression)
    {
        while (Current.Kind == TokenKind.Operator)
        {
            switch (Current.Text)
            {
                case ".":
                    expression = ParseMember(expression);
                    break;
                case "[":
                    expression = ParseIndex(expression);
                    break;
                case "(":
                    expression = ParseCall(expression);
                    break;
                default:
                    return expression;
            }
        }

        return expression;
    }

    private Expression ParseMember(Expression owner)
    {
        int line = Next().Line;
        Token member = Next();
        return member.Kind switch
        {
            TokenKind.Name => new AttributeExpression(owner, member.Text, line),
            TokenKind.Integer when IntegerFormat.TryParse(member.Text, 0, out BigInteger index) =>
                new ItemExpression(owner, new ConstantExpression(IntValue.Of(index), member.Line), line),
            _ => throw Fail("expected name or number", member.Line),
        };
    }

    private ItemExpression ParseIndex(Expression owner)
    {
        int line = Next().Line;
        var keys = new List<Expression>();
        while (!Current.IsOperator("]"))
        {
            if (keys.Count > 0)
            {
                ExpectOperator(",");
            }

            keys.Add(ParseIndexPart());
        }

        Next();
        return new ItemExpression(owner, keys.Count == 1 ? keys[0] : new SequenceExpression(SequenceKind.Tuple, [.. keys], line), line);
    }

    private Expression ParseIndexPart()
    {
        int line = Current.Line;
        Expression? start = null;
        if (!Current.IsOperator(":"))
        {
            start = ParseExpression();
            if (!Current.IsOperator(":"))
            {
                return start;
            }
        }

        Next();
        Expression? stop = AtSliceEnd() || Current.IsOperator(":") ? null : ParseExpression();
        Expression? step = SkipOperator(":") && !AtSliceEnd() ? ParseExpression() : null;
        return new SliceExpression(start, stop, step, line);
    }

    private bool AtSliceEnd() => Current.IsOperator("]") || Current.IsOperator(",");
}
