import HTTP1
import NaiveArithmetic
import Testing

/// Bytes come in whatever pieces the network makes of them.
struct SplitTests {
    @Test(arguments: Seeds.all) func `any split of requests into reads gives the same parts`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var bytes = Messages.requests(&generator)
        if generator.flip(oneIn: 2) { Messages.damage(&bytes, &generator) }
        let whole = readRequests([bytes])
        let single = readRequests(bytes.map { [$0] })
        #expect(whole.requests == single.requests)
        #expect(whole.error == nil ? single.error == nil : single.error != nil)
        for _ in 0..<4 {
            let split = readRequests(Messages.split(bytes, &generator))
            #expect(whole.requests == split.requests)
            #expect((whole.error == nil) == (split.error == nil))
        }
    }

    @Test(arguments: Seeds.all) func `any split of responses into reads gives the same parts`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var bytes = Messages.responses(&generator)
        if generator.flip(oneIn: 2) { Messages.damage(&bytes, &generator) }
        let whole = readResponses([bytes])
        for pieces in [bytes.map { [$0] }, Messages.split(bytes, &generator), Messages.split(bytes, &generator)] {
            let split = readResponses(pieces)
            #expect(whole.responses == split.responses)
            #expect((whole.error == nil) == (split.error == nil))
        }
    }
}

/// Messages made of seeds.
enum Messages {
    static func requests(_ generator: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            if generator.flip(oneIn: 6) { bytes += "\r\n".utf8 }
            let path = String(repeating: "a", count: Int.random(in: 0...40, using: &generator))
            let query = generator.flip(oneIn: 3) ? "?b=c%20d" : ""
            let method = ["GET", "POST", "PUT", "PATCH", "DELETE", "PURGE"].randomElement(using: &generator) ?? "GET"
            bytes += "\(method) /\(path)\(query) HTTP/1.1\r\nHost: a.example\r\n".utf8
            bytes += fields(&generator) + body(&generator)
        }
        return bytes
    }

    static func responses(_ generator: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            if generator.flip(oneIn: 5) { bytes += "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".utf8 }
            let status = [200, 201, 204, 304, 404, 500].randomElement(using: &generator) ?? 200
            bytes += "HTTP/1.1 \(status) Some Reason\r\n".utf8 + fields(&generator)
            bytes += status == 204 || status == 304 ? Array("\r\n".utf8) : body(&generator)
        }
        if generator.flip(oneIn: 4) { bytes += "HTTP/1.1 200 OK\r\na: b\r\n\r\nuntil the end".utf8 }
        return bytes
    }

    /// Random fields: names in mixed case, values with any byte that a value may have.
    private static func fields(_ generator: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for number in 0..<Int.random(in: 0...6, using: &generator) {
            bytes += "X-\(generator.flip(oneIn: 2) ? "f" : "F")!\(number):".utf8
            if generator.flip(oneIn: 2) { bytes += " \t".utf8 }
            for _ in 0..<Int.random(in: 0...30, using: &generator) {
                let byte = UInt8.random(in: 0x20...0xFF, using: &generator)
                bytes.append(byte == 0x7F ? 0x09 : byte)
            }
            bytes += "\r\n".utf8
        }
        return bytes
    }

    /// The empty line and a body, with the field that tells its length before them.
    private static func body(_ generator: inout SeededGenerator) -> [UInt8] {
        let content = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
            UInt8.random(in: 0...255, using: &generator)
        }
        guard generator.flip(oneIn: 2) else { return "content-length: \(content.count)\r\n\r\n".utf8 + content }
        var bytes = Array("Transfer-Encoding: chunked\r\n\r\n".utf8)
        var rest = content[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 1...20, using: &generator))
            rest = rest.dropFirst(chunk.count)
            let sign = generator.flip(oneIn: 4) ? ";e=\"f\"" : ""
            bytes += "\(String(chunk.count, radix: 16, uppercase: generator.flip(oneIn: 2)))\(sign)\r\n".utf8 + chunk
            bytes += "\r\n".utf8
        }
        bytes += generator.flip(oneIn: 3) ? "0\r\nx-sum: 1\r\n\r\n".utf8 : "0\r\n\r\n".utf8
        return bytes
    }

    /// Changes, removes or inserts a byte: mostly one that means something to HTTP.
    static func damage(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
        let index = bytes.indices.randomElement(using: &generator) ?? 0
        let byte: UInt8 = [0x0D, 0x0A, 0x20, 0x3A, 0x00, 0x2C, 0x30, 0x66, 0x7F].randomElement(using: &generator) ?? 0
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[index] = byte
        case 1: bytes.remove(at: index)
        default: bytes.insert(byte, at: index)
        }
    }

    static func split(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...(generator.flip(oneIn: 3) ? 3 : 200), using: &generator)
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return pieces
    }
}
