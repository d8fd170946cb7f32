import TestSupport
import Testing

@testable import Engines

@Suite struct AWSEventStreamTests {
    /// One header of each type beside the three that matter.
    private static let everyType: [UInt8] =
        [1, 97, 0, 1, 98, 1, 1, 99, 2, 9, 1, 100, 3, 9, 9, 1, 101, 4, 1, 2, 3, 4]
        + [1, 102, 5, 1, 2, 3, 4, 5, 6, 7, 8, 1, 103, 6, 0, 2, 55, 55, 1, 104, 8, 1, 2, 3, 4, 5, 6, 7, 8]
        + [1, 105, 9] + [UInt8](repeating: 7, count: 16)

    private static let stream = [
        AWSFixture.event("messageStart", #"{"role":"assistant"}"#),
        AWSFixture.frame(headers: [], payload: []),
        AWSFixture.frame(
            headers: everyType + AWSFixture.header(":event-type", "chunk"), payload: Array("Grüße".utf8)),
        AWSFixture.event("contentBlockDelta", String(repeating: "x", count: 3000)),
        AWSFixture.exception("throttlingException", #"{"message":"slow down"}"#),
    ]

    private static func frames(_ pieces: [[UInt8]]) -> (frames: [[UInt8]], isBroken: Bool) {
        var splitter = AWSEventStreamSplitter()
        var pending: [UInt8] = []
        var frames: [[UInt8]] = []
        for piece in pieces {
            piece.withUnsafeBytes { bytes in
                var start = 0
                while let end = splitter.nextEventEnd(in: bytes, from: start) {
                    frames.append(pending + bytes[start..<end])
                    pending = []
                    start = end
                }
                pending.append(contentsOf: bytes[start...])
            }
        }
        if !pending.isEmpty { frames.append(pending) }
        return (frames, splitter.isBroken)
    }

    private static func read(_ frame: [UInt8]) throws(AWSEventFrameError) -> (
        type: AWSEventFrame.MessageType, name: String, payload: String
    ) {
        let result = frame.withUnsafeBytes { bytes in
            Result { () throws(AWSEventFrameError) in
                let frame = try AWSEventFrame(bytes)
                return (
                    frame.messageType, String(decoding: bytes[frame.name], as: UTF8.self),
                    String(decoding: bytes[frame.payload], as: UTF8.self)
                )
            }
        }
        return try result.get()
    }

    @Test func `checksums are those of the standard's check value and of a reckoning bit by bit`() {
        let check = Array("123456789".utf8)
        #expect(check.withUnsafeBytes { AWSChecksum.crc32($0) } == 0xCBF4_3926)
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            let bytes = (0..<Int.random(in: 0...70, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let cut = Int.random(in: 0...bytes.count, using: &generator)
            let whole = bytes.withUnsafeBytes { bytes in
                AWSChecksum.crc32(
                    bytes.part(cut..<bytes.count), continuing: AWSChecksum.crc32(bytes.part(0..<cut)))
            }
            #expect(whole == AWSFixture.checksum(bytes), "seed \(seed)")
            #expect(bytes.reduce(0) { AWSChecksum.crc32($0, adding: $1) } == whole, "seed \(seed)")
        }
    }

    @Test func `frames are found and read in any pieces`() throws {
        let bytes = Self.stream.flatMap { $0 }
        #expect(Self.frames([bytes]).frames == Self.stream)
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            let cut = Self.frames(Fixture.pieces(of: bytes, using: &generator))
            #expect(cut.frames == Self.stream, "seed \(seed)")
            #expect(!cut.isBroken)
        }
        #expect(try Self.read(Self.stream[0]) == (.event, "messageStart", #"{"role":"assistant"}"#))
        #expect(try Self.read(Self.stream[1]) == (.event, "", ""))
        #expect(try Self.read(Self.stream[2]) == (.event, "chunk", "Grüße"))
        #expect(try Self.read(Self.stream[4]) == (.exception, "throttlingException", #"{"message":"slow down"}"#))
    }

    @Test func `any flipped bit of a frame is noticed`() throws {
        let frame = Self.stream[2]
        for bit in 0..<frame.count * 8 {
            var flipped = frame
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: AWSEventFrameError.self) { try Self.read(flipped) }
        }
    }

    @Test func `any truncation of a frame is noticed`() {
        for count in 0..<Self.stream[0].count {
            #expect(throws: AWSEventFrameError.self) { try Self.read(Array(Self.stream[0].prefix(count))) }
        }
    }

    @Test func `a wrong prelude ends the finding of frames and lets everything pass`() {
        var broken = Self.stream
        broken[1][5] ^= 0x40
        let bytes = broken.flatMap { $0 }
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            let result = Self.frames(Fixture.pieces(of: bytes, using: &generator))
            #expect(result.frames.first == Self.stream[0], "seed \(seed)")
            #expect(result.frames.flatMap { $0 } == bytes, "seed \(seed)")
            #expect(result.isBroken)
        }
    }

    @Test(arguments: [
        (15, 0), (16, 1), (0, 0), (16 * 1024 * 1024 + 1, 0), (1 << 30, 0), (200_000, 128 * 1024 + 1),
    ])
    func `lengths beyond their bounds are refused though their checksum holds`(length: Int, headers: Int) {
        var prelude = AWSFixture.integer(UInt32(length)) + AWSFixture.integer(UInt32(headers))
        prelude += AWSFixture.integer(AWSFixture.checksum(prelude))
        #expect(Self.frames([prelude + [0, 0, 0, 0]]).isBroken)
    }

    @Test(
        arguments: [
            [5, 97], [1, 97, 7, 0, 200, 1], [1, 97, 10], [1, 97, 5, 1], [0, 9, 1, 2], [1, 97, 7, 0], [255],
        ] as [[UInt8]])
    func `headers that end too early or have no known type are an error`(headers: [UInt8]) {
        let frame = AWSFixture.frame(headers: headers, payload: [])
        // A text of no bytes, or a name of none, is allowed; what follows them is not.
        #expect(throws: AWSEventFrameError.headers) { try Self.read(frame) }
    }
}
