public import Identity
import Metering

/// A request that was sent with an `Idempotency-Key`, as the journal remembers it.
public struct IdempotentRequest: Hashable, Sendable {
    /// The first 16 bytes of the digest over key id and `Idempotency-Key`.
    public let digest: [UInt8]
    public let requestID: RequestID
    /// Acceptance in real time, not billing time.
    public let acceptedAt: Timestamp

    /// A request as a journal remembers it.
    public init(digest: [UInt8], requestID: RequestID, acceptedAt: Timestamp) {
        self.digest = digest
        self.requestID = requestID
        self.acceptedAt = acceptedAt
    }
}

/// What a journal says about the requests of the last while that carried an `Idempotency-Key`: a gateway that starts
/// again still refuses their second run.
///
/// Only open records are looked at, and only those with a digest are checked and decoded, so that a day of traffic is
/// gone through about as fast as the disk gives it. Damage ends the reading of its segment: recovery has told of it.
public enum IdempotencyHistory {
    /// The most bytes of segments that are read, the newest ones: what lies further back is forgotten.
    public static let bytesMax: Int64 = 16 << 30

    /// Requests accepted at `since` or later, in the order of the journal, at most `countMax`: the newest ones.
    public static func read(
        directory path: String, since: Timestamp, countMax: Int
    ) throws(JournalError) -> [IdempotentRequest] {
        let directory = JournalDirectory(path: path)
        guard let id = try directory.readID() else { return [] }
        let salt = FrameSalt(id)
        var newestFirst: [[IdempotentRequest]] = []
        var count = 0
        var bytes: Int64 = 0
        for number in try directory.segments().reversed() {
            let window = try SegmentWindow(directory: directory, number: number)
            bytes += try window.size()
            guard count < countMax, bytes <= bytesMax else { break }
            let found = try requests(in: window, salt: salt, since: since)
            newestFirst.append(found)
            count += found.count
            // The segments before one that began earlier hold nothing younger than its beginning.
            if let header = try window.header(of: id), header.createdMilliseconds < since.milliseconds { break }
        }
        return Array(newestFirst.reversed().joined().suffix(countMax))
    }

    private static func requests(
        in window: SegmentWindow, salt: FrameSalt, since: Timestamp
    ) throws(JournalError) -> [IdempotentRequest] {
        var found: [IdempotentRequest] = []
        var offset = Int64(SegmentHeader.bytes)
        let size = try window.size()
        while offset + Int64(Frame.headerBytes) <= size, try window.load(at: offset, count: headBytes) {
            let head = window.withBytes(at: offset, count: headBytes) { Head($0) }
            let total = Int64(Frame.headerBytes) + Int64(head.length)
            guard head.length > 0, head.length <= UInt32(Frame.payloadBytesMax), offset + total <= size else { break }
            if head.hasDigest, let request = try self.request(at: offset, in: window, size: size, salt: salt),
                request.acceptedAt >= since
            {
                found.append(request)
            }
            offset += total
        }
        return found
    }

    /// Of an open record: its frame's head, six ids, the surface, and the length of the digest.
    private static let headBytes = Frame.headerBytes + 6 * 16 + 2

    private struct Head {
        let length: UInt32
        let hasDigest: Bool

        init(_ raw: UnsafeRawBufferPointer) {
            length = UInt32(littleEndian: raw.loadUnaligned(as: UInt32.self))
            hasDigest = raw[4] == Frame.Kind.open.rawValue && raw[5] > 1 && raw[raw.count - 1] > 0
        }
    }

    private static func request(
        at offset: Int64, in window: SegmentWindow, size: Int64, salt: FrameSalt
    ) throws(JournalError) -> IdempotentRequest? {
        guard
            case .frame(let kind, let version, let payload, _) = try window.parse(at: offset, bound: size, salt: salt),
            case .entry(.open(let entry))? = try? DecodedFrame(kind: kind, version: version, payload: payload)
        else { return nil }
        let request = entry.request
        guard !request.idempotencyDigest.isEmpty else { return nil }
        return IdempotentRequest(
            digest: request.idempotencyDigest, requestID: request.id,
            acceptedAt: request.acceptedAt.advanced(byMilliseconds: -request.clockOffsetMilliseconds))
    }
}
