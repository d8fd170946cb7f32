/// The `traceparent` header of W3C Trace Context (level 1): which trace a request belongs to.
public struct TraceContext: Hashable, Sendable {
    /// 32 lowercase hexadecimal digits, not all zero.
    public let traceID: String
    /// 16 lowercase hexadecimal digits, not all zero: the caller's span.
    public let parentID: String
    /// Whether the caller records this trace.
    public let isSampled: Bool

    /// Reads a header; nil for anything that the recommendation calls invalid.
    public init?(_ header: String) {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0] != "ff", parts[0] != "00" || parts.count == 4,
            TraceContext.isHexadecimal(parts[0], 2), TraceContext.isHexadecimal(parts[1], 32),
            TraceContext.isHexadecimal(parts[2], 16), TraceContext.isHexadecimal(parts[3], 2),
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" }),
            let flags = UInt8(parts[3], radix: 16)
        else { return nil }
        traceID = String(parts[1])
        parentID = String(parts[2])
        isSampled = flags & 1 == 1
    }

    private init(traceID: String, parentID: String, isSampled: Bool) {
        self.traceID = traceID
        self.parentID = parentID
        self.isSampled = isSampled
    }

    /// The same trace with another span as the parent; `spanID` is drawn by the caller.
    public func child(spanID: UInt64) -> TraceContext {
        let digits = String(spanID == 0 ? 1 : spanID, radix: 16)
        return TraceContext(
            traceID: traceID, parentID: String(repeating: "0", count: 16 - digits.count) + digits, isSampled: isSampled)
    }

    /// The header's text, in version 00.
    public var header: String { "00-\(traceID)-\(parentID)-\(isSampled ? "01" : "00")" }

    private static func isHexadecimal(_ text: Substring, _ count: Int) -> Bool {
        text.utf8.count == count
            && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
}
