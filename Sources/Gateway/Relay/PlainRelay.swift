import Engines
import NIOCore

/// Passes a plain answer on while its usage is read.
///
/// A small answer is kept whole until its record is durable. A larger one flows, except that the piece which completes
/// its `content-length` is held; without a length it is the end itself that is held.
final class PlainRelay {
    let meter: AnswerMeter
    /// What has come and may not go on yet.
    private(set) var held = ByteBuffer()
    /// Whether bytes have gone on, so that the head must go before them.
    private(set) var isFlowing = false
    private var received: Int64 = 0
    /// Puts the name in while the answer flows and its place is not known yet.
    private var splice: ModelSplice?

    /// The engine's `content-length`; nil when it gave none.
    let length: Int64?
    /// What the client is told that a flowing answer has; nil where nobody knows.
    private(set) var flowingLength: Int64?
    private let wholeAnswerBytes: Int
    private let modelName: AnswerModelName?
    /// Errors have no usage, and their text is no answer.
    private let isMetered: Bool

    init(
        meter: AnswerMeter, length: Int64?, wholeAnswerBytes: Int, isMetered: Bool, modelName: AnswerModelName? = nil
    ) {
        self.meter = meter
        self.length = length
        self.wholeAnswerBytes = wholeAnswerBytes
        self.isMetered = isMetered
        self.modelName = isMetered ? modelName : nil
    }

    var facts: AnswerFacts { meter.facts }

    /// Whether all text that came could be read.
    var isTextWhole: Bool { meter.isTextWhole }

    /// Nothing more of the text will come, whether the answer is whole or not.
    func finishText() { meter.finishText() }

    /// Shows the text that came since the last time, where it is counted.
    func takeText(_ body: (AnswerTextKey, UnsafeRawBufferPointer) -> Void) { meter.takeText(body) }

    /// The answer is over.
    func finish() {
        meter.finish()
        if !isFlowing {
            if let range = rangeToRename(in: held) { rename(range, in: &held) }
        } else if var splice {
            splice.finish { held.writeBytes($0) }
        }
        splice = nil
    }

    /// Puts `bytes` in place of what is held.
    func replaceHeld(with bytes: [UInt8]) { held = ByteBuffer(bytes: bytes) }

    /// Takes the next piece and returns what may go on; nil for nothing.
    func take(_ piece: ByteBuffer) -> ByteBuffer? {
        if isMetered { piece.withUnsafeReadableBytes { meter.read(piece: $0) } }
        received += Int64(piece.readableBytes)
        guard isMetered else {
            // An error is kept whole, or as much of it as anybody looks at.
            if held.readableBytes <= EngineRefusal.bodyBytesMax { held.writeImmutableBuffer(piece) }
            return nil
        }
        let isLast = length.map { received >= $0 } ?? false
        if isFlowing {
            let output = renamed(piece)
            guard isLast else { return output }
            held.writeImmutableBuffer(output)
            return nil
        }
        held.writeImmutableBuffer(piece)
        guard !isLast, held.readableBytes > wholeAnswerBytes else { return nil }
        var output = held
        held = ByteBuffer()
        isFlowing = true
        flowingLength = length
        guard let modelName else { return output }
        if meter.modelRange == nil {
            // How long the answer will be depends on whether there is a name in it.
            splice = ModelSplice(modelName)
            flowingLength = nil
            return renamed(output)
        }
        if let range = rangeToRename(in: output) {
            let before = output.readableBytes
            rename(range, in: &output)
            flowingLength = length.map { $0 + Int64(output.readableBytes - before) }
        }
        return output
    }

    /// Where the model's name stands, if it is to be another.
    private func rangeToRename(in answer: ByteBuffer) -> Range<Int>? {
        guard let modelName, let range = meter.modelRange, range.upperBound <= answer.readableBytes else { return nil }
        return answer.withUnsafeReadableBytes {
            modelName.differs(from: UnsafeRawBufferPointer(rebasing: $0[range])) ? range : nil
        }
    }

    private func rename(_ range: Range<Int>, in answer: inout ByteBuffer) {
        guard let name = modelName?.text else { return }
        var renamed = ByteBufferAllocator().buffer(capacity: answer.readableBytes + name.count)
        answer.withUnsafeReadableBytes { bytes in
            _ = renamed.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[..<range.lowerBound]))
            _ = renamed.writeBytes(name)
            _ = renamed.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[range.upperBound...]))
        }
        answer = renamed
    }

    private func renamed(_ piece: ByteBuffer) -> ByteBuffer {
        guard var splice else { return piece }
        self.splice = nil
        var output = ByteBufferAllocator().buffer(capacity: piece.readableBytes + 64)
        piece.withUnsafeReadableBytes { splice.pass($0) { output.writeBytes($0) } }
        self.splice = splice
        return output
    }
}
