import Identity
import Metering
import Testing

@testable import UsageJournal

/// What a journal of the first version holds. Its bytes were recorded from the program that wrote that version.
enum FirstVersion {
    private static func id(_ number: UInt64) -> UUIDv7 {
        UUIDv7(milliseconds: 1_764_000_000_000 + Int64(number), randomness: (number, ~number))
    }

    static let salt = FrameSalt(JournalID(id(1)))

    static var entry: UsageEntry {
        var first = AttemptRecord(
            id: AttemptID(id(7)), number: 1, backend: "east", upstreamModel: "org/model-1", priceKey: "model-1",
            hardware: "h100x8", quantisation: "fp8")
        first.termination = .timeout
        first.upstreamStatus = 504
        first.isDelivered = false
        first.contradiction = "says 3 of 2"
        var second = AttemptRecord(
            id: AttemptID(id(8)), number: 2, backend: "west", upstreamModel: "org/model-1", priceKey: "model-1")
        second.modelServed = "model-1-0613"
        second.tierServed = "priority"
        second.buckets = TokenBuckets(
            inputUncached: 1200, cacheRead: 300, cacheWriteFiveMinutes: 40, cacheWriteHour: 5, cacheWriteLong: 6,
            outputVisible: 70_000, outputReasoning: 8)
        second.usageSource = .engine
        second.usageComplete = true
        second.termination = .complete
        second.finishReason = "stop"
        second.upstreamStatus = 200
        second.upstreamID = "chatcmpl-é"
        second.contentEvents = 33
        second.marks = TimeMarks(upstreamSent: 10, firstByte: 2000, firstToken: 2100, lastToken: 90_000, end: 90_100)
        second.rawUsage = Array(#"{"prompt_tokens":1551}"#.utf8)
        let request = RequestRecord(
            id: RequestID(id(2)), accountID: AccountID(id(3)), tenantID: TenantID(id(4)), projectID: ProjectID(id(5)),
            keyID: KeyID(id(6)), subscriptionID: SubscriptionID(id(9)), surface: .completions,
            modelRequested: "model-1", tierRequested: "priority", isStream: true, outcome: .clientAbort,
            httpStatus: 499, reason: "client_left", marks: TimeMarks(firstByte: 2050, end: 91_000),
            tags: [Tag(name: "team", value: "blue")], clockOffsetMilliseconds: -60_000)
        return UsageEntry(request: request, attempts: [first, second])
    }

    static var progress: UsageProgress {
        UsageProgress(
            requestID: RequestID(id(2)), contentEvents: 12,
            buckets: TokenBuckets(inputUncached: 1200, cacheRead: 300, outputVisible: 512, outputReasoning: 3))
    }
}

/// The frames as that program wrote them.
extension FirstVersion {
    static let openFrame =
        "900100000101ce39066e027002e897b69a01fdffffffffffffbf037003e897b69a01fcffffffffffffbf047004e897b69a01"
        + "fbffffffffffffbf057005e897b69a01faffffffffffffbf067006e897b69a01f9ffffffffffffbf097009e897b69a01f6ff"
        + "ffffffffffbf02076d6f64656c2d31087072696f726974790103e6070b636c69656e745f6c65667400018420000001f08d0b"
        + "01047465616d04626c7565bfa90702077007e897b69a01f8ffffffffffffbf0204656173740b6f72672f6d6f64656c2d310b"
        + "6f72672f6d6f64656c2d31076d6f64656c2d3100000000000000000400010b736179732033206f6620320400f00700000000"
        + "00000000066831303078380366703800087008e897b69a01f7ffffffffffffbf0404776573740b6f72672f6d6f64656c2d31"
        + "0c6d6f64656c2d312d30363133076d6f64656c2d3101087072696f72697479e012d804500a0ce0c508100101000101047374"
        + "6f709003010b63686174636d706c2dc3a942011401a01f01e82001a0fe0a01e8ff0a010000167b2270726f6d70745f746f6b"
        + "656e73223a313535317d"
    static let closeFrame =
        "900100000301cd3f317f027002e897b69a01fdffffffffffffbf037003e897b69a01fcffffffffffffbf047004e897b69a01"
        + "fbffffffffffffbf057005e897b69a01faffffffffffffbf067006e897b69a01f9ffffffffffffbf097009e897b69a01f6ff"
        + "ffffffffffbf02076d6f64656c2d31087072696f726974790103e6070b636c69656e745f6c65667400018420000001f08d0b"
        + "01047465616d04626c7565bfa90702077007e897b69a01f8ffffffffffffbf0204656173740b6f72672f6d6f64656c2d310b"
        + "6f72672f6d6f64656c2d31076d6f64656c2d3100000000000000000400010b736179732033206f6620320400f00700000000"
        + "00000000066831303078380366703800087008e897b69a01f7ffffffffffffbf0404776573740b6f72672f6d6f64656c2d31"
        + "0c6d6f64656c2d312d30363133076d6f64656c2d3101087072696f72697479e012d804500a0ce0c508100101000101047374"
        + "6f709003010b63686174636d706c2dc3a942011401a01f01e82001a0fe0a01e8ff0a010000167b2270726f6d70745f746f6b"
        + "656e73223a313535317d"
    static let progressFrame =
        "1b0000000201234b20bb027002e897b69a01fdffffffffffffbf18e012d804000000800806"
    static let heartbeatFrame = "070000000401258349fa80a0bfe9d66654"
    static let refusalsFrame =
        "2a0000000501879f3be3010001067006e897b69a01f9ffffffffffffbf0f696e76616c69645f6170695f6b657980a0bfe9d66606"
    static let epochStartFrame = "070000000601ce29c9fa0880a0bfe9d666"
    static let endFrame = "0800000007015fe9a8070100000000000000"
}

@Suite struct FirstVersionTests {
    private func decode(_ text: String) throws -> DecodedFrame {
        let frame = try #require(Hexadecimal.bytes(of: text))
        #expect(frame[5] == 1)
        let checksum = frame.withUnsafeBytes { FirstVersion.salt.checksum(of: $0) }
        #expect((0..<4).allSatisfy { frame[6 + $0] == UInt8(truncatingIfNeeded: checksum >> (8 * UInt32($0))) })
        return try DecodedFrame(kind: frame[4], version: frame[5], payload: Array(frame[Frame.headerBytes...]))
    }

    @Test func `what the first version wrote is read as it was meant`() throws {
        let time = Timestamp(milliseconds: 1_764_000_000_000)
        #expect(try decode(FirstVersion.openFrame) == .entry(.open(FirstVersion.entry)))
        #expect(try decode(FirstVersion.closeFrame) == .entry(.close(FirstVersion.entry)))
        #expect(try decode(FirstVersion.progressFrame) == .entry(.progress(FirstVersion.progress)))
        #expect(
            try decode(FirstVersion.heartbeatFrame)
                == .entry(.heartbeat(JournalHeartbeat(realTime: time, snapshotChange: 42))))
        let refusal = RefusalCount(
            accountID: nil, keyID: FirstVersion.entry.request.keyID, reason: "invalid_api_key", minute: time, count: 3)
        #expect(try decode(FirstVersion.refusalsFrame) == .entry(.refusals([refusal])))
        #expect(
            try decode(FirstVersion.epochStartFrame) == .entry(.epochStart(EpochStart(epoch: 4, realTime: time))))
        #expect(try decode(FirstVersion.endFrame) == .end)
    }

    @Test func `the present version takes at most a byte more for what the first one knew`() throws {
        let first = try #require(Hexadecimal.bytes(of: FirstVersion.closeFrame))
        #expect(FirstVersion.salt.close(FirstVersion.entry).count <= first.count + 1)
    }

    @Test func `a first version's record cut short anywhere is refused`() throws {
        let frame = try #require(Hexadecimal.bytes(of: FirstVersion.closeFrame))
        let payload = Array(frame[Frame.headerBytes...])
        for count in payload.indices {
            #expect(throws: DecodingFault.self) {
                try DecodedFrame(kind: 3, version: 1, payload: Array(payload[..<count]))
            }
        }
    }
}
