import Engines
import Metering
import NIOCore

/// Reads a stream of work that goes on while a client follows it: what passed is what the work had come to at least,
/// whatever the engine says, or forgets, later.
final class WorkStream {
    private let meter: AnswerMeter
    private var splitter = AnswerSplitter(framing: .serverSentEvents)
    /// An event whose end has not come.
    private var pending = ByteBuffer()
    private var isLost = false

    /// The longest event that is read; pictures are inside.
    private static let eventBytesMax = 64 << 20

    init(_ surface: Surface, on backend: Backend) {
        meter = AnswerMeter(
            request: InferenceRequest(of: surface, model: ""), backend: backend, status: 200, headers: StreamHead())
    }

    /// What of the work has passed so far, as a document of it would say.
    var seen: AnswerFacts { AnswerFacts(seenIn: meter.facts) }

    func take(_ bytes: ByteBuffer) {
        guard !isLost else { return }
        bytes.withUnsafeReadableBytes { raw in
            var start = 0
            while let end = splitter.nextEventEnd(in: raw, from: start) {
                let part = UnsafeRawBufferPointer(rebasing: raw[start..<end])
                if pending.readableBytes == 0 {
                    _ = meter.read(event: part)
                } else {
                    pending.writeBytes(part)
                    _ = pending.withUnsafeReadableBytes { meter.read(event: $0) }
                    pending.clear()
                }
                start = end
            }
            pending.writeBytes(UnsafeRawBufferPointer(rebasing: raw[start...]))
        }
        guard pending.readableBytes > WorkStream.eventBytesMax else { return }
        isLost = true
        pending = ByteBuffer()
    }
}

/// The head that such a stream has.
private struct StreamHead: HeaderLookup {
    func first(_ lowercaseName: String) -> String? { lowercaseName == "content-type" ? "text/event-stream" : nil }
}
