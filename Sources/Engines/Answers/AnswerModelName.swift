internal import Metering

/// The name of the model that an answer is to carry: as the client asked, whatever the engine calls it.
public struct AnswerModelName: Sendable {
    private let name: String

    /// As JSON writes it, with its quotes.
    public var text: [UInt8] { JSONString.bytes(of: name) }

    /// Nil where answers keep the engine's name: its backend says so (`answer_model: upstream`), the client asked in an
    /// engine's own dialect, or answers of this form name no model.
    public init?(of request: InferenceRequest, backend: Backend) {
        guard !backend.settings.answersUpstreamModel, request.native == nil, !request.model.isEmpty else { return nil }
        switch request.surface {
        case .chatCompletions, .completions, .embeddings, .responses, .messages, .rerank: break
        default: return nil
        }
        name = request.model
    }

    /// Whether what stands there, a string with its quotes, is another name, or the same written otherwise.
    public func differs(from written: UnsafeRawBufferPointer) -> Bool {
        guard written.count == name.utf8.count + 2 else { return true }
        return !written[1..<written.count - 1].elementsEqual(name.utf8)
    }
}

/// Writes another model's name into a JSON document that passes in whatever pieces: at `model`, at `response.model` and
/// at `message.model`. Bytes wait no longer than a name has not ended; everything else passes as it came.
public struct ModelSplice: Sendable {
    private let name: AnswerModelName
    private var document = DocumentReader(shape: ModelSplice.shape)
    private var hasBegun = false
    /// Bytes of the document that the reader has seen.
    private var seen = 0
    /// The beginning of a name whose end has not come.
    private var held: [UInt8] = []

    private static let shape = DocumentShape([.value("model"), .value("response.model"), .value("message.model")])

    /// A splice at the start of a document, or of the framing before it.
    public init(_ name: AnswerModelName) { self.name = name }

    /// Passes the next piece on to `write`.
    public mutating func pass(_ piece: UnsafeRawBufferPointer, to write: (UnsafeRawBufferPointer) -> Void) {
        var piece = piece
        if !hasBegun {
            guard let start = piece.firstIndex(of: UInt8(ascii: "{")) else { return write(piece) }
            write(piece.part(0..<start))
            piece = piece.part(start..<piece.count)
            hasBegun = true
        }
        var written = 0
        while document.nextPart(in: piece) != nil {
            let start = document.partRange.lowerBound - seen
            let end = document.partRange.upperBound - seen
            assert(end >= written && end <= piece.count, "a name ends in the piece that completes it")
            if start >= 0 { write(piece.part(written..<start)) }
            document.withPart { part in
                // Empty: longer than any name, and let go already.
                if part.first == UInt8(ascii: "\""), name.differs(from: part) {
                    name.text.withUnsafeBytes(write)
                } else if start < 0 {
                    held.withUnsafeBytes(write)
                    write(piece.part(0..<end))
                } else {
                    write(piece.part(start..<end))
                }
            }
            held.removeAll(keepingCapacity: true)
            written = end
        }
        seen += piece.count
        if let open = document.unfinishedPartStart {
            let start = max(written, open - (seen - piece.count))
            write(piece.part(written..<start))
            held.append(contentsOf: piece[start...])
        } else {
            if !held.isEmpty {
                held.withUnsafeBytes(write)
                held.removeAll(keepingCapacity: true)
            }
            write(piece.part(written..<piece.count))
        }
    }

    /// The document is over: what was held back is no name.
    public mutating func finish(to write: (UnsafeRawBufferPointer) -> Void) {
        guard !held.isEmpty else { return }
        held.withUnsafeBytes(write)
        held.removeAll()
    }
}
