import Engines
import NIOCore

/// What came by in one piece.
struct StreamSignals: OptionSet {
    let rawValue: UInt8
    static let content = StreamSignals(rawValue: 1)
    static let error = StreamSignals(rawValue: 2)
    static let terminator = StreamSignals(rawValue: 4)
    /// The terminator says that the answer failed (`response.failed`): the client is to read it.
    static let failure = StreamSignals(rawValue: 8)
    /// The engine said something of the answer: no comment, sign of life or error.
    static let word = StreamSignals(rawValue: 16)
}

/// How much of an event that says that the stream failed is at hand.
enum FailedEventPart {
    case whole
    /// What has not gone out of one that was too long to be held.
    case rest
    /// The beginning of one that is too long to be passed on.
    case beginning
}

/// Passes a stream's events on as they end, reads them, cuts out the usage chunk that only the gateway asked for, and
/// holds the terminator and all after it.
final class StreamRelay {
    let meter: AnswerMeter
    private var splitter: AnswerSplitter
    /// The unfinished event. Its first `flowed` bytes went on already, because there were too many to hold.
    private var pending = ByteBuffer()
    private var flowed = 0
    /// The unfinished event is too long to be kept, and read while it passes.
    private var isPassing = false
    /// The unfinished event is an error that is too long to be passed on: `pending` is what of it may be shown.
    private var isCutting = false
    private var isHolding = false
    /// Whether anything but white space has come.
    private var hasBegun = false

    private let keepsUsageChunk: Bool
    /// What the client calls the model; nil where events keep the engine's name.
    private let modelName: AnswerModelName?
    /// The same as it is written, once it was needed.
    private var nameText: [UInt8] = []
    /// Puts the name into an event that is too long to be held.
    private var splice: ModelSplice?
    /// What the gateway adds to the usage object of the last word; nil adds nothing.
    private let usageMembers: ((AnswerFacts) -> [UInt8]?)?
    /// What a client sees of an event that says that the stream failed; nil for the event as it is.
    private let failedEvent: (UnsafeRawBufferPointer, _ isTerminator: Bool, FailedEventPart) -> [UInt8]?
    private let heldEventBytes: Int
    private let readEventBytes: Int
    private let seal: AnswerSeal?

    init(
        meter: AnswerMeter, keepsUsageChunk: Bool, heldEventBytes: Int, readEventBytes: Int,
        modelName: AnswerModelName? = nil, seal: AnswerSeal? = nil, usageMembers: ((AnswerFacts) -> [UInt8]?)? = nil,
        failedEvent: @escaping (UnsafeRawBufferPointer, _ isTerminator: Bool, FailedEventPart) -> [UInt8]? = {
            _, _, _ in
            nil
        }
    ) {
        self.meter = meter
        splitter = AnswerSplitter(framing: meter.framing)
        self.keepsUsageChunk = keepsUsageChunk
        self.modelName = modelName
        self.usageMembers = usageMembers
        self.failedEvent = failedEvent
        self.heldEventBytes = heldEventBytes
        self.readEventBytes = readEventBytes
        self.seal = seal
    }

    var facts: AnswerFacts { meter.facts }

    /// What has come of the answer: what the engine counted last, or an event with content for a token.
    var outputTokensSoFar: Int64 {
        max(meter.facts.usage?.completionTokens ?? 0, meter.facts.contentEvents)
    }

    /// Whether all text that came could be read.
    var isTextWhole: Bool { meter.isTextWhole }

    /// Shows the text that came since the last time, where it is counted.
    func takeText(_ body: (AnswerTextKey, UnsafeRawBufferPointer) -> Void) { meter.takeText(body) }

    /// Takes the next piece: what may go on is appended to `output`, what must wait for the record to `held`.
    func take(_ piece: ByteBuffer, output: inout ByteBuffer, held: inout ByteBuffer) -> StreamSignals {
        var signals: StreamSignals = []
        piece.withUnsafeReadableBytes { bytes in
            if !hasBegun {
                hasBegun = meter.takeBeginning(bytes)
                splitter = AnswerSplitter(framing: meter.framing)
            }
            var start = 0
            while let end = splitter.nextEventEnd(in: bytes, from: start) {
                let part = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                signals.formUnion(finishEvent(part, output: &output, held: &held))
                start = end
            }
            if start < bytes.count {
                keep(UnsafeRawBufferPointer(rebasing: bytes[start...]), output: &output, held: &held)
            }
        }
        return signals
    }

    /// The stream is over: what is left is an event without its empty line.
    func finish(output: inout ByteBuffer, held: inout ByteBuffer) -> StreamSignals {
        defer { meter.finish() }
        guard pending.readableBytes > 0 || isPassing else { return [] }
        return finishEvent(UnsafeRawBufferPointer(start: nil, count: 0), output: &output, held: &held)
    }

    private func finishEvent(
        _ part: UnsafeRawBufferPointer, output: inout ByteBuffer, held: inout ByteBuffer
    ) -> StreamSignals {
        defer {
            if pending.readableBytes > 0 { pending.clear() }
            flowed = 0
            isPassing = false
            isCutting = false
            if let seal { if isHolding { seal.finish(into: &held) } else { seal.finish(into: &output) } }
            splice = nil
        }
        if isCutting {
            meter.read(longEventPiece: part)
            let event = meter.finishLongEvent()
            if event == .terminator { isHolding = true }
            let beginning = pending
            let shown = beginning.withUnsafeReadableBytes { failedEvent($0, event == .terminator, .beginning) } ?? []
            shown.withUnsafeBytes { passRenamed($0, output: &output, held: &held) }
            // It began as an error, whatever else was found in it.
            return signals(of: event, word: []).union(meter.endsInFailure ? [] : .error)
        }
        if isPassing || pending.readableBytes + part.count > readEventBytes {
            if !isPassing { readPending() }
            meter.read(longEventPiece: part)
            flow(pending.unread(after: flowed), output: &output, held: &held)
            return pass(meter.finishLongEvent(), part, isWhole: false, output: &output, held: &held)
        }
        if pending.readableBytes == 0 {
            let event = meter.read(event: part)
            return pass(event, part, isWhole: true, output: &output, held: &held)
        }
        var whole = ByteBuffer()
        swap(&whole, &pending)
        whole.writeBytes(part)
        let event = whole.withUnsafeReadableBytes { meter.read(event: $0) }
        let isWhole = flowed == 0
        let rest = whole.unread(after: flowed)
        let signals = rest.withUnsafeReadableBytes {
            pass(event, $0, isWhole: isWhole, output: &output, held: &held)
        }
        swap(&whole, &pending)
        return signals
    }

    @discardableResult
    private func pass(
        _ event: StreamEvent, _ bytes: UnsafeRawBufferPointer, isWhole: Bool, output: inout ByteBuffer,
        held: inout ByteBuffer
    ) -> StreamSignals {
        if event == .usageChunk, !keepsUsageChunk, isWhole { return [] }
        if event == .terminator { isHolding = true }
        if event == .error || event == .terminator && meter.hasError,
            let shown = failedEvent(bytes, event == .terminator, isWhole ? .whole : .rest)
        {
            shown.withUnsafeBytes {
                if isWhole {
                    passRenamed($0, output: &output, held: &held)
                } else {
                    flow($0, output: &output, held: &held)
                }
            }
            if !isWhole { splice?.finish { pass($0, output: &output, held: &held) } }
        } else if isWhole {
            passEdited(event, bytes, output: &output, held: &held)
        } else {
            flow(bytes, output: &output, held: &held)
            splice?.finish { pass($0, output: &output, held: &held) }
        }
        return signals(of: event, word: saysNothing(bytes, isWhole: isWhole) ? [] : .word)
    }

    /// Whether an event is a sign of life, or brackets around documents that are still to come.
    private func saysNothing(_ bytes: UnsafeRawBufferPointer, isWhole: Bool) -> Bool {
        switch meter.framing {
        case .serverSentEvents: bytes.isSignOfLife
        case .jsonArray: isWhole && !bytes.contains(UInt8(ascii: "{"))
        case .awsEventStream, .plain: false
        }
    }

    private func signals(of event: StreamEvent, word: StreamSignals) -> StreamSignals {
        switch event {
        case .terminator:
            // The end that an engine puts behind an error is none; one that says that it failed is its last word.
            if meter.endsInFailure { return [.terminator, .failure] }
            return meter.hasError ? [.terminator, .error] : [.terminator, word]
        case .content: return [.content, .word]
        case .error: return .error
        case .usageChunk, .other: return word
        }
    }

    /// Passes a whole event on: the model named as the client calls it, what the client did not ask for cut out and
    /// what it asked for put in. Only what is changed is copied apart.
    private func passEdited(
        _ event: StreamEvent, _ bytes: UnsafeRawBufferPointer, output: inout ByteBuffer, held: inout ByteBuffer
    ) {
        let name = rangeToRename(in: bytes)
        let usage = meter.cutRange == nil && meter.usageEnd == nil ? nil : usageEdit(event)
        var start = 0
        func replace(_ range: Range<Int>, _ text: [UInt8]) {
            assert(start <= range.lowerBound, "edits do not overlap")
            pass(UnsafeRawBufferPointer(rebasing: bytes[start..<range.lowerBound]), output: &output, held: &held)
            text.withUnsafeBytes { pass($0, output: &output, held: &held) }
            start = range.upperBound
        }
        if let usage, name.map({ usage.range.lowerBound < $0.lowerBound }) ?? false {
            replace(usage.range, usage.text)
            if let name { replace(name, nameText) }
        } else {
            if let name { replace(name, nameText) }
            if let usage { replace(usage.range, usage.text) }
        }
        pass(UnsafeRawBufferPointer(rebasing: bytes[start...]), output: &output, held: &held)
    }

    /// Passes an event on that is not the engine's own any more.
    private func passRenamed(
        _ bytes: UnsafeRawBufferPointer, output: inout ByteBuffer, held: inout ByteBuffer
    ) {
        guard let modelName else { return pass(bytes, output: &output, held: &held) }
        var splice = ModelSplice(modelName)
        splice.pass(bytes) { pass($0, output: &output, held: &held) }
        splice.finish { pass($0, output: &output, held: &held) }
    }

    /// Where the event names the model otherwise than the client does.
    private func rangeToRename(in bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        guard let modelName, let range = meter.modelRange,
            modelName.differs(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
        else { return nil }
        if nameText.isEmpty { nameText = modelName.text }
        return range
    }

    /// What the client did not ask for, to be cut out, or what it asked for, to be put in.
    private func usageEdit(_ event: StreamEvent) -> (range: Range<Int>, text: [UInt8])? {
        if let cut = meter.cutRange { return (cut, []) }
        guard let end = meter.usageEnd, let usageMembers,
            event == .usageChunk || event == .terminator || meter.facts.finishReason != nil,
            let members = usageMembers(meter.facts)
        else { return nil }
        return (end..<end, members)
    }

    /// Keeps the beginning of an event until its end comes, unless it grows too long.
    private func keep(_ bytes: UnsafeRawBufferPointer, output: inout ByteBuffer, held: inout ByteBuffer) {
        if isPassing || isCutting { meter.read(longEventPiece: bytes) }
        if isCutting { return }
        if isPassing { return flow(bytes, output: &output, held: &held) }
        pending.writeBytes(bytes)
        guard pending.readableBytes > heldEventBytes else { return }
        if flowed == 0, meter.framing != .awsEventStream, pending.withUnsafeReadableBytes(\.beginsError) {
            // Words that name a backend or its key may lie across any seam.
            isCutting = true
            return readPending()
        }
        flow(pending.unread(after: flowed), output: &output, held: &held)
        flowed = pending.readableBytes
        if pending.readableBytes > readEventBytes {
            isPassing = true
            readPending()
            pending.clear()
            flowed = 0
        }
    }

    /// Shows the meter the beginning of an event that has grown too long.
    private func readPending() {
        let beginning = pending
        beginning.withUnsafeReadableBytes { meter.read(longEventPiece: $0) }
    }

    /// Passes on a part of an event that is too long to be held: its first, or what follows.
    private func flow(_ bytes: UnsafeRawBufferPointer, output: inout ByteBuffer, held: inout ByteBuffer) {
        if flowed == 0, !isPassing, splice == nil { splice = modelName.map { ModelSplice($0) } }
        guard var splice else { return pass(bytes, output: &output, held: &held) }
        self.splice = nil
        splice.pass(bytes) { pass($0, output: &output, held: &held) }
        self.splice = splice
    }

    private func flow(_ buffer: ByteBuffer, output: inout ByteBuffer, held: inout ByteBuffer) {
        buffer.withUnsafeReadableBytes { flow($0, output: &output, held: &held) }
    }

    private func pass(_ bytes: UnsafeRawBufferPointer, output: inout ByteBuffer, held: inout ByteBuffer) {
        if let seal {
            seal.learn(meter.id)
            if isHolding { seal.take(bytes, into: &held) } else { seal.take(bytes, into: &output) }
            return
        }
        if isHolding { held.writeBytes(bytes) } else { output.writeBytes(bytes) }
    }

}

extension ByteBuffer {
    /// What is readable, without its first `count` bytes.
    fileprivate func unread(after count: Int) -> ByteBuffer {
        getSlice(at: readerIndex + count, length: readableBytes - count) ?? ByteBuffer()
    }
}

extension UnsafeRawBufferPointer {
    /// Whether an event is a comment, or Anthropic's `ping`.
    fileprivate var isSignOfLife: Bool {
        isEmpty || self[0] == UInt8(ascii: ":") || self[0] < 0x20 || starts(with: "event: ping".utf8)
    }

    /// Whether an event is an error by its first bytes: its name, or the first member of its object.
    fileprivate var beginsError: Bool {
        var rest = self[...]
        func skip(_ text: StaticString) -> Bool {
            let name = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
            guard rest.starts(with: name) else { return false }
            rest = rest.dropFirst(name.count)
            return true
        }
        func skipSpace() { rest = rest.drop { $0 == 0x20 || (0x09...0x0D).contains($0) || $0 == 0x1E } }
        skipSpace()
        if skip("event:") {
            skipSpace()
            if skip("error") || skip("response.failed") { return true }
            rest = rest.drop { $0 != 0x0A && $0 != 0x0D }
            skipSpace()
        }
        _ = skip("data:")
        skipSpace()
        _ = skip("[") || skip(",")
        skipSpace()
        guard skip("{") else { return false }
        skipSpace()
        if skip("\"type\"") {
            skipSpace()
            _ = skip(":")
            skipSpace()
            return skip("\"error\"") || skip("\"response.failed\"")
        }
        guard skip("\"error\"") else { return false }
        skipSpace()
        _ = skip(":")
        skipSpace()
        return skip("{") || skip("\"")
    }
}
