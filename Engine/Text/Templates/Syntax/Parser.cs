using System.Runtime.CompilerServices;
using Fastgen.Engine.Text.Templates.Builtins;
using Fastgen.Engine.Text.Templates.Nodes;

namespace Fastgen.Engine.Text.Templates.Syntax;

/// <summary>Turns tokens into nodes, by recursive descent over Jinja 3.1's grammar.</summary>
internal sealed partial class Parser
{
    /// <summary>Levels of brackets, operators or tags inside each other; the reference stops near 100.</summary>
    private const int MaxNesting = 200;

    /// <summary>Longest chain of operators in one expression, as levels of the tree they make.</summary>
    private const int MaxExpressionLevels = 400;

    private readonly List<Token> _tokens;
    private readonly Dictionary<string, BlockStatement> _blocks = [];
    private readonly List<HashSet<string>> _macroNames = [];
    private int _index;
    private int _nesting;
    private int _loopDepth;
    private int _insideFor;
    private bool _topLevel = true;

    // Inside an if, an unknown filter or test fails only when it is reached.
    private bool _lenient;

    private Parser(string source) => _tokens = Lexer.Tokenize(source);

    public static (Body Body, IReadOnlyDictionary<string, BlockStatement> Blocks) Parse(string source)
    {
        var parser = new Parser(source);
        Body body = parser.ParseBody([]);
        return (body, parser._blocks);
    }

    private Token Current => _tokens[_index];

    private Token Ahead => _tokens[Math.Min(_index + 1, _tokens.Count - 1)];

    private Token Next()
    {
        Token token = Current;
        if (_index < _tokens.Count - 1)
        {
            _index++;
        }

        return token;
    }

    private bool SkipName(string name)
    {
        if (!Current.IsName(name))
        {
            return false;
        }

        Next();
        return true;
    }

    private bool SkipOperator(string text)
    {
        if (!Current.IsOperator(text))
        {
            return false;
        }

        Next();
        return true;
    }

    private Token Expect(TokenKind kind, string description) => Current.Kind == kind
        ? Next()
        : throw Fail(Current.Kind == TokenKind.End
            ? $"unexpected end of template, expected '{description}'."
            : $"expected token '{description}', got '{Current.Describe()}'");

    private void ExpectOperator(string text)
    {
        if (!SkipOperator(text))
        {
            throw Fail($"expected token '{text}', got '{Current.Describe()}'");
        }
    }

    private void ExpectName(string name)
    {
        if (!SkipName(name))
        {
            throw Fail($"expected token '{name}', got '{Current.Describe()}'");
        }
    }

    private TemplateError Fail(string message) => Fail(message, Current.Line);

    private static TemplateError Fail(string message, int line) => new(ErrorKind.Syntax, message, line);

    private void Enter()
    {
        if (++_nesting > MaxNesting || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw Fail($"brackets, operators or tags nest deeper than {MaxNesting} levels");
        }
    }

    private void Leave() => _nesting--;

    /// <summary>Checks made once per expression: bounded depth, known filters and tests.</summary>
    private T Checked<T>(T expression)
        where T : Expression
    {
        var pending = new Stack<(Expression Node, bool Lenient, int Level)>();
        pending.Push((expression, _lenient, 1));
        while (pending.TryPop(out (Expression Node, bool Lenient, int Level) item))
        {
            if (item.Level > MaxExpressionLevels)
            {
                throw Fail($"an expression chains more than {MaxExpressionLevels} operators or calls", item.Node.Line);
            }

            bool lenient = item.Lenient || item.Node is ConditionalExpression;
            string? unknown = item.Node switch
            {
                FilterExpression filter when !Filters.Exists(filter.Name) => $"No filter named '{filter.Name}'.",
                TestExpression test when !Tests.Exists(test.Name) => $"No test named '{test.Name}'.",
                _ => null,
            };
            if (unknown is not null && !lenient)
            {
                throw Fail(unknown, item.Node.Line);
            }

            foreach (Expression part in item.Node.Parts)
            {
                pending.Push((part, lenient, item.Level + 1));
            }
        }

        return expression;
    }
}
