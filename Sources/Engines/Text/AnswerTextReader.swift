internal import Metering

/// Reads the text that a model wrote out of an answer, beside the reader of its usage: only where somebody counts it.
///
/// It reads each document a second time, so that the readers of usage need not look at text that nobody wants. What it
/// found is kept until `drain`.
struct AnswerTextReader: Sendable {
    /// What stands around the documents.
    private enum Wrapping: Sendable {
        case nothing
        /// Frames whose payload is the document.
        case frames
        /// Frames whose payload holds the document in base 64.
        case chunks
        /// Frames whose payloads, put together, are the container's events or lines.
        case container
    }

    /// Whether all text was read that came: none was too long, and no event beyond reading.
    private(set) var isWhole = true
    /// Bytes of text that were found so far.
    private(set) var byteCount: Int64 = 0

    private let framing: AnswerFraming
    private let wrapping: Wrapping
    private let parts: AnswerTextParts
    private var frames = AWSEventFrames()
    private var containerParts = SageMakerParts()
    /// The document that comes in pieces: a plain answer, or an event that is too long to be kept.
    private var document: DocumentReader
    private var draft = AnswerTextDraft()
    private var hasDocumentBegun = false

    private var bytes: [UInt8] = []
    private var texts: [(key: AnswerTextKey, range: Range<Int>)] = []

    /// Nil where the answer is no text.
    init?(of surface: Surface, framing: AnswerFraming) {
        guard let parts = AnswerTextParts.of(surface, isPlain: framing == .plain) else { return nil }
        self.framing = framing
        self.parts = parts
        document = DocumentReader(shape: parts.shape)
        wrapping =
            switch surface {
            case _ where framing != .awsEventStream: .nothing
            case .bedrockInvoke: .chunks
            case .sageMakerInvocations: .container
            default: .frames
            }
    }

    // MARK: Documents in pieces

    /// The next piece of a plain answer.
    mutating func read(piece: UnsafeRawBufferPointer) {
        while let part = document.nextPart(in: piece) {
            document.withPart { draft.take(parts.roles[part], part: part, $0) }
        }
        if document.takeTooLongCount() > 0 { isWhole = false }
    }

    /// The next piece of an event that is too long to be kept. What stands before the first brace is the framing's.
    mutating func read(longEventPiece piece: UnsafeRawBufferPointer) {
        if hasDocumentBegun { return read(piece: piece) }
        guard let start = piece.firstIndex(of: UInt8(ascii: "{")) else { return }
        hasDocumentBegun = true
        read(piece: piece.part(start..<piece.count))
    }

    /// The document that came in pieces is over, or nothing more of it will come.
    mutating func finishDocument() {
        document.withUnfinishedPart { part, value in draft.take(parts.roles[part], part: part, value) }
        finish(draft, isPlain: framing == .plain)
        draft = AnswerTextDraft()
        document = DocumentReader(shape: parts.shape)
        hasDocumentBegun = false
    }

    // MARK: Events

    /// One whole event, its framing included.
    mutating func read(event bytes: UnsafeRawBufferPointer) {
        switch framing {
        case .plain: return
        case .serverSentEvents: StreamedEvent.withServerSentEvent(bytes) { read(document: $0.data) }
        case .jsonArray: read(document: bytes.part(JSONArraySplitter.element(in: bytes)))
        case .awsEventStream:
            var facts = AnswerFacts()
            guard let frame = frames.next(bytes, &facts) else {
                if facts.unreadCount > 0 { isWhole = false }
                return
            }
            read(payload: bytes.part(frame.payload))
        }
    }

    private mutating func read(payload: UnsafeRawBufferPointer) {
        switch wrapping {
        case .nothing, .frames: read(document: payload)
        case .chunks: (try? BedrockInvokeStream.chunk(payload))?.withUnsafeBytes { read(document: $0) }
        case .container:
            var pending = SageMakerParts()
            swap(&pending, &containerParts)
            pending.take(payload) { read(container: $0, $1) }
            swap(&pending, &containerParts)
        }
    }

    private mutating func read(container event: UnsafeRawBufferPointer, _ form: SageMakerParts.Form) {
        switch form {
        case .serverSentEvents: StreamedEvent.withServerSentEvent(event) { read(document: $0.data) }
        case .lines: read(document: event)
        }
    }

    /// The stream is over: what is left is an event of the container's without its end.
    mutating func finishEvents() {
        guard wrapping == .container, !frames.isBroken else { return }
        var pending = SageMakerParts()
        swap(&pending, &containerParts)
        pending.finish { read(container: $0, $1) }
    }

    private mutating func read(document bytes: UnsafeRawBufferPointer) {
        var reader = DocumentReader(shape: parts.shape)
        var draft = AnswerTextDraft()
        while let part = reader.nextPart(in: bytes) {
            reader.withPart { draft.take(parts.roles[part], part: part, $0) }
        }
        if reader.takeTooLongCount() > 0 { isWhole = false }
        finish(draft, isPlain: false)
    }

    private mutating func finish(_ draft: AnswerTextDraft, isPlain: Bool) {
        if draft.isTooLong { isWhole = false }
        draft.finish(isPlain: isPlain) { key, range in
            let start = bytes.count
            bytes.append(contentsOf: draft.bytes[range])
            texts.append((key, start..<bytes.count))
            byteCount += Int64(range.count)
        }
    }

    // MARK: What was found

    /// Shows what was found since the last time, in its order.
    mutating func drain(_ body: (AnswerTextKey, UnsafeRawBufferPointer) -> Void) {
        guard !texts.isEmpty else { return }
        bytes.withUnsafeBytes { all in
            for text in texts { body(text.key, all.part(text.range)) }
        }
        bytes.removeAll(keepingCapacity: true)
        texts.removeAll(keepingCapacity: true)
    }
}
