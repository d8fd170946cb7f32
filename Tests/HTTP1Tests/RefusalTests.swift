import HTTP1
import Testing

/// What RFC 9112 and 9110 forbid, above all what two readers of one connection could read differently.
struct RefusalTests {
    private static let fields: [(String, MessageError)] = [
        ("content-length: 3\r\ntransfer-encoding: chunked", .lengthAndCoding),
        ("transfer-encoding: chunked\r\ncontent-length: 3", .lengthAndCoding),
        ("content-length: 3\r\ncontent-length: 4", .contentLength),
        ("content-length: 3, 3", .contentLength),
        ("content-length: +3", .contentLength),
        ("content-length: -3", .contentLength),
        ("content-length: 0x3", .contentLength),
        ("content-length: 3 3", .contentLength),
        ("content-length:", .contentLength),
        ("content-length: 99999999999999999999", .contentLength),
        ("content-length: 9223372036854775808", .contentLength),
        ("transfer-encoding: gzip, chunked", .transferCoding),
        ("transfer-encoding: chunked, chunked", .transferCoding),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked", .transferCoding),
        ("transfer-encoding: identity", .transferCoding),
        ("transfer-encoding: xchunked", .transferCoding),
        ("transfer-encoding: \u{0B}chunked", .fieldValue),
        ("transfer-encoding : chunked", .fieldName),
        ("content-length : 3", .fieldName),
        ("x: 1\r\n folded", .foldedField),
        ("x: 1\r\n\tfolded", .foldedField),
        (" x: 1", .foldedField),
        ("x: a\u{0}b", .fieldValue),
        ("x: a\u{7F}b", .fieldValue),
        ("x: a\rb", .lineEnd),
        ("x: a\nb: c", .lineEnd),
        ("x\u{0}: a", .fieldName),
        ("x y: a", .fieldName),
        ("x(y): a", .fieldName),
        ("ü: a", .fieldName),
        (": a", .fieldName),
        ("no colon", .fieldName),
        ("host: second", .host),
        ("content-type: application/json\r\ncontent-type: application/json", .contentType),
        (
            "Content-Type: multipart/form-data; boundary=a\r\ncontent-type: multipart/form-data; boundary=b",
            .contentType
        ),
        ("content-type:\r\nx: y\r\nCONTENT-TYPE: text/plain", .contentType),
    ]

    @Test(arguments: fields.indices) func `fields that could be read in two ways are refused`(index: Int) {
        let (field, expected) = RefusalTests.fields[index]
        let (requests, error) = readRequests("POST / HTTP/1.1\r\nhost: x\r\n\(field)\r\n\r\n0\r\n\r\n")
        #expect(error == expected, "\(field)")
        #expect(requests.isEmpty)
    }

    private static let lines: [(String, MessageError)] = [
        ("GET  / HTTP/1.1", .requestLine), ("GET / HTTP/1.1 ", .requestLine), ("GET /", .requestLine),
        (" GET / HTTP/1.1", .requestLine), ("GET / HTTP/1.2", .version), ("GET / HTTP/2.0", .version),
        ("GET / HTTP/0.9", .version), ("GET / HTTP/1.10", .requestLine), ("GET / http/1.1", .requestLine),
        ("GET / HTTP/11", .requestLine), ("G@T / HTTP/1.1", .requestLine), ("GET\t/ HTTP/1.1", .requestLine),
        ("GET /a b HTTP/1.1", .requestLine), ("GET /\u{0} HTTP/1.1", .target), ("GET /ü HTTP/1.1", .target),
        ("GET /#part HTTP/1.1", .target), ("GET x HTTP/1.1", .target), ("GET * HTTP/1.1", .target),
        ("GET ftp://x/ HTTP/1.1", .target), ("GET http:///x HTTP/1.1", .target), ("CONNECT x:1 HTTP/1.1", .target),
        ("/ HTTP/1.1", .requestLine), ("GET / HTTP/1.1\rx", .requestLine),
    ]

    @Test(arguments: lines.indices) func `a request line is one of three tokens`(index: Int) {
        let (line, expected) = RefusalTests.lines[index]
        #expect(readRequests("\(line)\r\nhost: x\r\n\r\n").error == expected, "\(line)")
    }

    @Test func `a request of HTTP 1.1 needs a host, one of 1.0 does not`() {
        #expect(readRequests("GET / HTTP/1.1\r\n\r\n").error == .host)
        #expect(readRequests("GET / HTTP/1.0\r\n\r\n").error == nil)
    }

    @Test func `a transfer coding in HTTP 1.0 is refused`() {
        let rest = "\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
        #expect(readRequests("POST / HTTP/1.0" + rest).error == .transferCoding)
        #expect(readResponses("HTTP/1.0 200 OK" + rest).error == .transferCoding)
    }

    @Test func `the same length twice is one length`() {
        let (requests, error) = readRequests(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nab")
        #expect(error == nil)
        #expect(requests.first?.body.count == 2)
    }

    private static let chunks: [(String, MessageError)] = [
        ("\r\n", .chunkSize), ("g\r\n", .chunkSize), ("-1\r\n", .chunkSize), ("0x1\r\n", .chunkSize),
        ("1 \r\n", .chunkSize), (" 1\r\n", .chunkSize), ("1\n", .chunkSize), ("1\rx", .chunkSize),
        ("fffffffffffffffff\r\n", .chunkSize), ("0000000000000001\r\n", .chunkSize), ("1;a\nb\r\n", .chunkSize),
        ("1;a\u{0}\r\n", .chunkSize), ("1\r\nab", .chunkEnd), ("1\r\na\n", .chunkEnd), ("1\r\na\rb", .chunkEnd),
        ("0\r\na: b\nc", .trailer), ("0\r\na: b\rc", .trailer), ("0\r\n\rx", .trailer), ("0\r\na\u{0}", .trailer),
    ]

    @Test(arguments: chunks.indices) func `chunks are what the grammar says`(index: Int) {
        let (chunk, expected) = RefusalTests.chunks[index]
        let head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        #expect(readRequests(head + chunk).error == expected, "\(chunk)")
    }

    @Test func `extensions and trailers have limits`() {
        let head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        let long = String(repeating: "x", count: 2000)
        #expect(readRequests(head + "1;\(long)").error == .chunkSize)
        let limits = HeadLimits(fieldBytes: 1000, listBytes: 1500, fieldCount: 10)
        #expect(readRequests(head + "0\r\na: \(long)", limits: limits).error == .trailer)
        let lines = String(repeating: "a: b\r\n", count: 1000)
        #expect(readRequests(head + "0\r\n\(lines)", limits: limits).error == .trailer)
    }

    @Test func `heads have limits`() {
        let limits = HeadLimits(fieldBytes: 100, listBytes: 300, fieldCount: 10)
        func error(_ head: String) -> MessageError? { readRequests(head, limits: limits).error }
        let line = "GET / HTTP/1.1\r\nhost: x\r\n"
        #expect(error(line + "a: \(String(repeating: "x", count: 97))\r\n\r\n") == nil)
        #expect(error(line + "a: \(String(repeating: "x", count: 98))\r\n\r\n") == .headTooLarge)
        #expect(error(line + String(repeating: "a: b\r\n", count: 9) + "\r\n") == nil)
        #expect(error(line + String(repeating: "a: b\r\n", count: 10) + "\r\n") == .headTooLarge)
        #expect(error("GET /\(String(repeating: "x", count: 120)) HTTP/1.1\r\nhost: x\r\n\r\n") == .headTooLarge)
        // Without an end it is refused as soon as no end could be in time.
        #expect(error("GET / HTTP/1.1\r\na: " + String(repeating: "x", count: 1000)) == .headTooLarge)
        let list = String(repeating: "abcdefghi: \(String(repeating: "x", count: 60))\r\n", count: 5)
        #expect(error(line + list + "\r\n") == .headTooLarge)
    }

    @Test func `bytes that cannot begin a head are refused at once`() {
        #expect(readRequests([[0x16, 0x03, 0x01]]).error == .requestLine)
        #expect(readRequests("GET / HTTP/1.1\n").error == .lineEnd)
        #expect(readResponses("SSH-2.0-x").error == .requestLine)
    }
}
