import HTTP1
import Testing

struct ResponseTests {
    @Test func `a response with a length leaves its connection open`() {
        let (responses, error) = readResponses(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 2\r\n\r\n{}", closes: false)
        #expect(error == nil)
        #expect(
            responses == [
                ReadResponse(
                    status: 200, keepsAlive: true,
                    fields: [["Content-Type", "application/json"], ["content-length", "2"]],
                    body: Array("{}".utf8), isWhole: true)
            ])
    }

    @Test func `a body without a length ends with its connection`() {
        let text = "HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nall of it"
        #expect(readResponses(text, closes: false).responses.first?.isWhole == false)
        let (responses, error) = readResponses(text)
        #expect(error == nil)
        #expect(responses.first?.isWhole == true)
        #expect(responses.first?.keepsAlive == false)
        #expect(responses.first?.body == Array("all of it".utf8))
    }

    @Test func `answers that have no body are over with their head`() {
        for status in ["204 No Content", "304 Not Modified"] {
            let (responses, error) = readResponses("HTTP/1.1 \(status)\r\ncontent-length: 5\r\n\r\n", closes: false)
            #expect(error == nil)
            #expect(responses.first?.isWhole == true)
        }
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        #expect(readResponses(head, isHead: true, closes: false).responses.first?.isWhole == true)
        #expect(readResponses(head, closes: false).responses.first?.isWhole == false)
    }

    @Test func `interim answers are left out`() {
        let (responses, error) = readResponses(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n"
                + "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"
        )
        #expect(error == nil)
        #expect(responses.map(\.status) == [200])
        #expect(readResponses("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n").error == .interimAnswer)
        let endless = String(repeating: "HTTP/1.1 102 Processing\r\n\r\n", count: 1000)
        #expect(readResponses(endless).error == .interimAnswer)
    }

    @Test func `a reason may be missing, empty or in any letters`() {
        for line in ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 Ça va", "HTTP/1.1 200 O K"] {
            let (responses, error) = readResponses("\(line)\r\ncontent-length: 0\r\n\r\n", closes: false)
            #expect(error == nil)
            #expect(responses.first?.status == 200)
        }
    }

    @Test func `status lines that are none are refused`() {
        for line in [
            "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "HTTP/1.1  200 OK", "HTTP/1.1 abc OK",
            "HTTP/1.1 200\u{0}", "HTTP/2 200 OK", "HTTQ/1.1 200 OK", "HTTP/1.1 -20 OK",
        ] {
            #expect(readResponses("\(line)\r\ncontent-length: 0\r\n\r\n").error == .statusLine, "\(line)")
        }
        #expect(readResponses("HTTP/3.1 200 OK\r\ncontent-length: 0\r\n\r\n").error == .version)
    }

    @Test func `a connection that closes within a message broke it off`() {
        let head = "HTTP/1.1 200 OK\r\n"
        for text in [
            "HTT", head, head + "content-length: 3\r\n\r\nab", head + "transfer-encoding: chunked\r\n\r\n3\r\nab",
            head + "transfer-encoding: chunked\r\n\r\n0\r\n",
        ] { #expect(readResponses(text).error == .incomplete, "\(text)") }
        #expect(readResponses("").error == nil)
    }

    @Test func `responses whose length could be read in two ways are refused`() {
        let both = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n"
        #expect(readResponses(both).error == .lengthAndCoding)
        #expect(readResponses("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n").error == .transferCoding)
        #expect(
            readResponses("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n").error == .contentLength)
    }

    @Test func `status lines and numbers are written as others write them`() {
        #expect(StatusLine.text(of: 429)?.description == "HTTP/1.1 429 Too Many Requests\r\n")
        #expect(StatusLine.text(of: 299) == nil)
        for value in [0, 1, 9, 10, 15, 16, 255, 256, 65_535, 1_000_000, Int.max] {
            let bytes = [UInt8](unsafeUninitializedCapacity: 20) { buffer, count in
                count = NumberText.writeDecimal(value, to: UnsafeMutableRawBufferPointer(buffer))
            }
            #expect(String(decoding: bytes, as: UTF8.self) == String(value))
            let digits = [UInt8](unsafeUninitializedCapacity: 20) { buffer, count in
                count = NumberText.writeHexadecimal(value, to: UnsafeMutableRawBufferPointer(buffer))
            }
            #expect(String(decoding: digits, as: UTF8.self) == String(value, radix: 16))
        }
    }
}
