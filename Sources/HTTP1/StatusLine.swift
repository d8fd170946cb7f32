/// The status lines that are written: one constant for each status that has a name (IANA's registry of status codes).
public enum StatusLine {
    /// `HTTP/1.1 200 OK`, with its line end; nil for a status without a registered name.
    public static func text(of status: Int) -> StaticString? {
        switch status {
        case 200: "HTTP/1.1 200 OK\r\n"
        case 201: "HTTP/1.1 201 Created\r\n"
        case 202: "HTTP/1.1 202 Accepted\r\n"
        case 204: "HTTP/1.1 204 No Content\r\n"
        case 206: "HTTP/1.1 206 Partial Content\r\n"
        case 301: "HTTP/1.1 301 Moved Permanently\r\n"
        case 302: "HTTP/1.1 302 Found\r\n"
        case 303: "HTTP/1.1 303 See Other\r\n"
        case 304: "HTTP/1.1 304 Not Modified\r\n"
        case 307: "HTTP/1.1 307 Temporary Redirect\r\n"
        case 308: "HTTP/1.1 308 Permanent Redirect\r\n"
        case 400: "HTTP/1.1 400 Bad Request\r\n"
        case 401: "HTTP/1.1 401 Unauthorized\r\n"
        case 402: "HTTP/1.1 402 Payment Required\r\n"
        case 403: "HTTP/1.1 403 Forbidden\r\n"
        case 404: "HTTP/1.1 404 Not Found\r\n"
        case 405: "HTTP/1.1 405 Method Not Allowed\r\n"
        case 406: "HTTP/1.1 406 Not Acceptable\r\n"
        case 408: "HTTP/1.1 408 Request Timeout\r\n"
        case 409: "HTTP/1.1 409 Conflict\r\n"
        case 410: "HTTP/1.1 410 Gone\r\n"
        case 411: "HTTP/1.1 411 Length Required\r\n"
        case 413: "HTTP/1.1 413 Content Too Large\r\n"
        case 414: "HTTP/1.1 414 URI Too Long\r\n"
        case 415: "HTTP/1.1 415 Unsupported Media Type\r\n"
        case 417: "HTTP/1.1 417 Expectation Failed\r\n"
        case 421: "HTTP/1.1 421 Misdirected Request\r\n"
        case 422: "HTTP/1.1 422 Unprocessable Content\r\n"
        case 424: "HTTP/1.1 424 Failed Dependency\r\n"
        case 429: "HTTP/1.1 429 Too Many Requests\r\n"
        case 431: "HTTP/1.1 431 Request Header Fields Too Large\r\n"
        case 500: "HTTP/1.1 500 Internal Server Error\r\n"
        case 501: "HTTP/1.1 501 Not Implemented\r\n"
        case 502: "HTTP/1.1 502 Bad Gateway\r\n"
        case 503: "HTTP/1.1 503 Service Unavailable\r\n"
        case 504: "HTTP/1.1 504 Gateway Timeout\r\n"
        case 505: "HTTP/1.1 505 HTTP Version Not Supported\r\n"
        default: nil
        }
    }
}

/// Numbers as they stand in heads and chunks, written without a `String`.
public enum NumberText {
    /// The most bytes that a number takes.
    public static let bytesMax = 20

    /// Writes `value`, which is not negative, in decimal to the start of `target` and returns how many bytes it took.
    public static func writeDecimal(_ value: Int, to target: UnsafeMutableRawBufferPointer) -> Int {
        write(UInt64(value), base: 10, to: target)
    }

    /// Writes `value`, which is not negative, in hexadecimal to the start of `target` and returns how many bytes it
    /// took.
    public static func writeHexadecimal(_ value: Int, to target: UnsafeMutableRawBufferPointer) -> Int {
        write(UInt64(value), base: 16, to: target)
    }

    @inline(__always)
    private static func write(_ value: UInt64, base: UInt64, to target: UnsafeMutableRawBufferPointer) -> Int {
        var count = 1
        var rest = value / base
        while rest > 0 {
            count += 1
            rest /= base
        }
        rest = value
        for index in stride(from: count - 1, through: 0, by: -1) {
            let digit = UInt8(truncatingIfNeeded: rest % base)
            target[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
            rest /= base
        }
        return count
    }
}
