import HTTP1
import Testing

struct RequestTests {
    @Test func `a request has a method, a path, a query, fields and a body`() throws {
        let (requests, error) = readRequests(
            "POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                + "X-Empty:\r\nX-Wide: \t b c \t\r\n\r\nbody"
        )
        #expect(error == nil)
        let request = try #require(requests.first)
        #expect(request.method == "POST")
        #expect(request.path == "/v1/chat/completions")
        #expect(request.query == "?x=1")
        #expect(request.fields == [["Host", "a"], ["Content-Length", "4"], ["X-Empty", ""], ["X-Wide", "b c"]])
        #expect(request.body == Array("body".utf8))
        #expect(request.isWhole)
    }

    @Test func `requests sent ahead come out one after the other`() {
        let one = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n"
        let two = "POST /b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        let (requests, error) = readRequests(one + two + one)
        #expect(error == nil)
        #expect(requests.map(\.path) == ["/a", "/b", "/a"])
        #expect(requests.map(\.body) == [[], Array("abc".utf8), []])
        #expect(requests.allSatisfy { $0.isWhole })
    }

    @Test func `chunks lose their sizes, extensions and trailers`() {
        let (requests, error) = readRequests(
            "POST / HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
                + "5;name=value\r\nhello\r\n00b;q=\"a b\"\r\n, my world!\r\n000;last\r\nX-Sum: 1\r\nmore: 2\r\n\r\n")
        #expect(error == nil)
        #expect(requests.first?.body == Array("hello, my world!".utf8))
        #expect(requests.first?.isWhole == true)
        #expect(requests.first?.fields.count == 2)
    }

    @Test(arguments: [
        ("HTTP/1.1", "", true), ("HTTP/1.1", "connection: close\r\n", false), ("HTTP/1.0", "", false),
        ("HTTP/1.0", "connection: Keep-Alive\r\n", true), ("HTTP/1.1", "connection: te, Close\r\n", false),
        ("HTTP/1.1", "connection: te\r\nconnection: close\r\n", false), ("HTTP/1.1", "connection: closed\r\n", true),
        ("HTTP/1.0", "connection: keep-alive, close\r\n", false),
    ])
    func `a connection is kept as version and field say`(version: String, field: String, isKept: Bool) {
        let (requests, error) = readRequests("GET / \(version)\r\nhost: x\r\n\(field)\r\n")
        #expect(error == nil)
        #expect(requests.first?.keepsAlive == isKept)
    }

    @Test func `an address as a target means its path`() {
        let targets = ["http://host.example/v1/models?a", "HTTPS://host.example:8080/v1/models?a", "/v1/models?a"]
        for target in targets {
            let (requests, _) = readRequests("GET \(target) HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(requests.first?.path == "/v1/models")
            #expect(requests.first?.query == "?a")
        }
        #expect(readRequests("OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n").requests.first?.path == "*")
    }

    @Test func `a client may wait for 100 Continue, one of HTTP 1.0 may not`() {
        let rest = "host: x\r\nexpect: 100-Continue\r\ncontent-length: 1\r\n\r\nx"
        #expect(readRequests("POST / HTTP/1.1\r\n" + rest).requests.first?.expectsContinue == true)
        #expect(readRequests("POST / HTTP/1.0\r\n" + rest).requests.first?.expectsContinue == false)
    }

    @Test func `empty lines before a request are left out, but not for ever`() {
        let request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n"
        #expect(readRequests("\r\n" + request + "\r\n\r\n" + request).requests.map(\.method) == ["GET", "GET"])
        #expect(readRequests(String(repeating: "\r\n", count: 100) + request).error == .requestLine)
    }

    @Test func `fields are found in any case, and named by the connection field`() throws {
        var parser = RequestParser()
        let bytes = Array(
            "GET / HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nx-one: 2\r\nConnection: close, X-Private\r\nx-private: 3\r\n\r\n"
                .utf8)
        let part = try bytes.withUnsafeBytes { bytes in
            var offset = 0
            return try parser.next(in: bytes, at: &offset)
        }
        guard case .head(let head) = part else { throw MessageError.requestLine }
        #expect(head.headers.first("x-one") == "1")
        #expect(head.headers.all("x-one") == ["1", "2"])
        #expect(head.headers.first("connection", is: "close, x-private"))
        #expect(head.headers.contains("x-private") && !head.headers.contains("x-privat"))
        var named: [String] = []
        head.headers.forEach { name, _ in
            if head.headers.connectionNames(name) { named.append(String(decoding: name, as: UTF8.self)) }
        }
        #expect(named == ["x-private"])
        var passed = ""
        let dropped = FieldNames(["connection", "HOST"])
        head.headers.forEachRun(where: { !dropped.contains($0) }) {
            passed += String(decoding: $0, as: UTF8.self) + "|"
        }
        #expect(passed == "X-One: 1\r\nx-one: 2\r\n|")
        let count = head.withTarget { path, query in path.count + query.count }
        #expect(count == head.targetByteCount)
    }

    @Test func `lines that are passed on are passed as they came`() {
        let headers = Headers([("a", "1"), ("Connection", "b"), ("B", "2"), ("c", "3"), ("cc", "4"), ("ccc", "5")])
        func passed(without names: [String]) -> [String] {
            var runs: [String] = []
            let names = FieldNames(names)
            headers.forEachRun(where: { !names.contains($0) }) { runs.append(String(decoding: $0, as: UTF8.self)) }
            return runs
        }
        #expect(passed(without: ["connection"]) == ["a: 1\r\n", "c: 3\r\ncc: 4\r\nccc: 5\r\n"])
        #expect(passed(without: ["connection", "CC", "dd"]) == ["a: 1\r\n", "c: 3\r\n", "ccc: 5\r\n"])
        #expect(passed(without: ["connection", "a", "c", "cc", "ccc"]) == [])
        var fewer = headers
        fewer.remove("cc")
        var runs: [String] = []
        fewer.forEachRun(where: { $0.count < 4 }) { runs.append(String(decoding: $0, as: UTF8.self)) }
        #expect(runs == ["a: 1\r\n", "c: 3\r\n", "ccc: 5\r\n"])
        #expect(fewer.first("cc") == nil && fewer.first("ccc") == "5" && fewer.first(named: "b") == "2")
        #expect(Headers().count == 0)
    }
}
