internal import Identity
internal import Metering

/// What tells two requests apart that carry the same `Idempotency-Key`: 16 bytes of SHA-256 over the API, the model and
/// the body. The boundary of a form is left out, because clients draw a new one for each try.
public struct RequestFingerprint: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    /// Of a request and the body that it was read from; one pass over the body.
    public init(of request: InferenceRequest, body: UnsafeRawBufferPointer) {
        var text = Array("\(request.surface.rawValue)\0\(request.model)\0".utf8)
        if case .form(let boundary) = request.body {
            Self.forEachSegment(of: body, between: Array("--\(boundary)".utf8)) { segment in
                text += SHA256Digest(of: segment).bytes
            }
        } else {
            text += SHA256Digest(of: body).bytes
        }
        let words = text.withUnsafeBytes { SHA256Digest(of: $0) }.words
        (high, low) = (words.0, words.1)
    }

    /// As a record keeps it; nil unless there are 16 bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The 16 bytes for the record.
    public var bytes: [UInt8] {
        [high, low].flatMap { word in
            stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt64($0)) }
        }
    }

    /// Delimiters begin lines; beyond `segmentsMax` of them the rest is one segment.
    private static func forEachSegment(
        of body: UnsafeRawBufferPointer, between delimiter: [UInt8], _ take: (UnsafeRawBufferPointer) -> Void
    ) {
        var start = 0
        var line = 0
        var count = 0
        while line + delimiter.count <= body.count, count < segmentsMax {
            if body[line..<line + delimiter.count].elementsEqual(delimiter) {
                take(body.part(start..<line))
                count += 1
                start = line + delimiter.count
            }
            line = body.firstIndexOfLineEnd(from: line) + 1
        }
        take(body.part(min(start, body.count)..<body.count))
    }

    private static let segmentsMax = 256
}
