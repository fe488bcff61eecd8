using System.Diagnostics.CodeAnalysis;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>The kinds of value that RESP3 knows. A null of any wire form is <see cref="Null"/>.</summary>
[SuppressMessage("Naming", "CA1720", Justification = "The names that RESP3 gives its types.")]
public enum RespType
{
    /// <summary><c>_</c>, <c>$-1</c> or <c>*-1</c>.</summary>
    Null,

    /// <summary><c>+</c>: a short string without line breaks.</summary>
    SimpleString,

    /// <summary><c>-</c> or <c>!</c>: an error; at the top of a reply it becomes a <see cref="RedisServerException"/>.</summary>
    Error,

    /// <summary><c>:</c>: a signed 64-bit number.</summary>
    Integer,

    /// <summary><c>$</c>: binary-safe bytes.</summary>
    BulkString,

    /// <summary><c>=</c>: bytes with a three-letter format in front; the format is kept apart.</summary>
    VerbatimString,

    /// <summary><c>#</c>: true or false.</summary>
    Boolean,

    /// <summary><c>,</c>: a double, infinities and NaN included.</summary>
    Double,

    /// <summary><c>(</c>: an integer of any size, kept as its digits.</summary>
    BigNumber,

    /// <summary><c>*</c>: a sequence of values.</summary>
    Array,

    /// <summary><c>%</c>: keys and values in turn.</summary>
    Map,

    /// <summary><c>~</c>: a set, in the order received.</summary>
    Set,

    /// <summary><c>&gt;</c>: out-of-band data such as a pub/sub message; never the reply to a command.</summary>
    Push,
}
