import HTTP1
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NaiveArithmetic
import Testing

/// NIOHTTP1 reads valid messages the same way.
struct OtherParserTests {
    @Test(arguments: Seeds.all) func `valid requests are read as NIOHTTP1 reads them`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let bytes = Messages.requests(&generator)
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder()))
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        var expected: [ReadRequest] = []
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                let target = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
                expected.append(
                    ReadRequest(
                        method: head.method.rawValue, path: String(target[0]),
                        query: target.count > 1 ? "?\(target[1])" : "", minorVersion: head.version.minor,
                        keepsAlive: head.isKeepAlive, expectsContinue: false,
                        fields: head.headers.map { [$0.name, trimmed($0.value)] }))
            case .body(let body): expected[expected.count - 1].body += Array(body.readableBytesView)
            case .end: expected[expected.count - 1].isWhole = true
            }
        }
        _ = try channel.finish(acceptAlreadyClosed: true)
        let (requests, error) = readRequests([bytes])
        #expect(error == nil)
        #expect(requests == expected)
    }

    /// NIOHTTP1 keeps a space behind a value that does not end in ASCII.
    private func trimmed(_ value: String) -> String {
        var units = Array(value.utf8)
        while let last = units.last, last == 0x20 || last == 0x09 { units.removeLast() }
        return String(decoding: units, as: UTF8.self)
    }
}
