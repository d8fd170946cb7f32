public import Identity
import Metering

/// A request that was sent with an `Idempotency-Key`, as the journal remembers it.
public struct IdempotentRequest: Hashable, Sendable {
    /// The key and what was asked, as in the record: equal for equal keys in its first 16 bytes.
    public let digest: [UInt8]
    public let requestID: RequestID
    /// Acceptance in real time, not billing time.
    public let acceptedAt: Timestamp

    public init(digest: [UInt8], requestID: RequestID, acceptedAt: Timestamp) {
        self.digest = digest
        self.requestID = requestID
        self.acceptedAt = acceptedAt
    }
}

/// What a journal says about the requests of the last while that spent an `Idempotency-Key`: a gateway that starts
/// again still refuses their second run, and lets those run whose first came to nothing.
///
/// Only open and close records are looked at, and only those with a digest are checked and decoded, so that a day of
/// traffic is gone through about as fast as the disk gives it. Damage ends the reading of its segment: recovery has
/// told of it.
public enum IdempotencyHistory {
    /// The most bytes of segments that are read, the newest ones: what lies further back is forgotten.
    public static let bytesMax: Int64 = 16 << 30

    /// Requests accepted at `since` or later whose key is spent, in the order of the journal, at most `countMax`: the
    /// newest ones. One without its close record counts as spent.
    public static func read(
        directory path: String, since: Timestamp, countMax: Int
    ) throws(JournalError) -> [IdempotentRequest] {
        let directory = JournalDirectory(path: path)
        guard let id = try directory.readID() else { return [] }
        let salt = FrameSalt(id)
        var newestFirst: [[IdempotentRequest]] = []
        // The close record of a request comes after its open record, so it is read before in this order of segments.
        var freed: Set<RequestID> = []
        var count = 0
        var bytes: Int64 = 0
        for number in try directory.segments().reversed() {
            let window = try SegmentWindow(directory: directory, number: number)
            bytes += try window.size()
            guard count < countMax, bytes <= bytesMax else { break }
            let found = try requests(in: window, salt: salt, since: since, freed: &freed)
            newestFirst.append(found)
            count += found.count
            // The segments before one that began earlier hold nothing younger than its beginning.
            if let header = try window.header(of: id), header.createdMilliseconds < since.milliseconds { break }
        }
        return Array(newestFirst.reversed().joined().suffix(countMax))
    }

    private static func requests(
        in window: SegmentWindow, salt: FrameSalt, since: Timestamp, freed: inout Set<RequestID>
    ) throws(JournalError) -> [IdempotentRequest] {
        var found: [IdempotentRequest] = []
        var offset = Int64(SegmentHeader.bytes)
        let size = try window.size()
        while offset + Int64(Frame.headerBytes) <= size, try window.load(at: offset, count: headBytes) {
            let head = window.withBytes(at: offset, count: headBytes) { Head($0) }
            let total = Int64(Frame.headerBytes) + Int64(head.length)
            guard head.length > 0, head.length <= UInt32(Frame.payloadBytesMax), offset + total <= size else { break }
            if head.hasDigest {
                switch try entry(at: offset, in: window, size: size, salt: salt) {
                case .open(let entry)?:
                    let request = IdempotentRequest(entry)
                    if request.acceptedAt >= since { found.append(request) }
                case .close(let entry)? where !entry.spendsIdempotencyKey: freed.insert(entry.request.id)
                default: break
                }
            }
            offset += total
        }
        found.removeAll { freed.remove($0.requestID) != nil }
        return found
    }

    /// Of an open or close record: its frame's head, six ids, the surface, and the length of the digest.
    private static let headBytes = Frame.headerBytes + 6 * 16 + 2

    private struct Head {
        let length: UInt32
        let hasDigest: Bool

        init(_ raw: UnsafeRawBufferPointer) {
            length = UInt32(littleEndian: raw.loadUnaligned(as: UInt32.self))
            let isEntry = raw[4] == Frame.Kind.open.rawValue || raw[4] == Frame.Kind.close.rawValue
            hasDigest = isEntry && raw[5] > 1 && raw[raw.count - 1] > 0
        }
    }

    private static func entry(
        at offset: Int64, in window: SegmentWindow, size: Int64, salt: FrameSalt
    ) throws(JournalError) -> JournalEntry? {
        guard
            case .frame(let kind, let version, let payload, _) = try window.parse(at: offset, bound: size, salt: salt),
            case .entry(let entry)? = try? DecodedFrame(kind: kind, version: version, payload: payload)
        else { return nil }
        return entry
    }
}

extension IdempotentRequest {
    fileprivate init(_ entry: UsageEntry) {
        let request = entry.request
        self.init(
            digest: request.idempotencyDigest, requestID: request.id,
            acceptedAt: request.acceptedAt.advanced(byMilliseconds: -request.clockOffsetMilliseconds))
    }
}
