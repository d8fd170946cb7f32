/// Why bytes are no HTTP/1.1 message that this module passes on. After one the connection's bytes have no meaning any
/// more: answer if there is someone to answer to, and close.
public enum MessageError: Error, Hashable, Sendable {
    /// The request line is none: method, target or the spaces between.
    case requestLine
    /// The status line is none.
    case statusLine
    /// Another version than HTTP/1.0 and HTTP/1.1.
    case version
    /// A target that is neither a path, an `http` address nor, for OPTIONS, `*`.
    case target
    /// A line that ends without a carriage return, or a carriage return elsewhere (RFC 9112, section 2.2).
    case lineEnd
    /// A field's name is empty, has other characters than a token, or a space before its colon (section 5.1).
    case fieldName
    /// A field's value has a control character.
    case fieldValue
    /// A line that continues the field before it (section 5.2).
    case foldedField
    /// A request of HTTP/1.1 needs exactly one `host` (section 3.2).
    case host
    /// `content-length` is no number, too large a number, or there are two that differ (section 6.3).
    case contentLength
    /// A transfer coding other than one `chunked`, or any in HTTP/1.0 (section 6.1).
    case transferCoding
    /// A request has two `content-type`: two readers of its body may go by different ones.
    case contentType
    /// Both `content-length` and `transfer-encoding`: how requests are smuggled (section 6.1).
    case lengthAndCoding
    /// A chunk's size is no hexadecimal number, too large, or its extensions are too long (section 7.1).
    case chunkSize
    /// A chunk's data does not end where its size said.
    case chunkEnd
    /// The fields after the last chunk are malformed (each line is a name, a colon and a value) or too long.
    case trailer
    /// The start line or a field is too long, or there are too many fields.
    case headTooLarge
    /// A switch of protocols that nobody asked for, or no end of interim answers.
    case interimAnswer
    /// The connection closed in the middle of a message.
    case incomplete

    /// Whether the head was well-formed as far as it was read and only too large: 431 rather than 400.
    public var isTooLarge: Bool { self == .headTooLarge }
}
