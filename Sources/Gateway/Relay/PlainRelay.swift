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

    /// The engine's `content-length`; nil when it gave none.
    let length: Int64?
    private let wholeAnswerBytes: Int
    /// Errors have no usage, and their text is no answer.
    private let isMetered: Bool

    init(meter: AnswerMeter, length: Int64?, wholeAnswerBytes: Int, isMetered: Bool) {
        self.meter = meter
        self.length = length
        self.wholeAnswerBytes = wholeAnswerBytes
        self.isMetered = isMetered
    }

    var facts: AnswerFacts { meter.facts }

    /// Whether all text that came could be read.
    var isTextWhole: Bool { meter.isTextWhole }

    /// Nothing more of the text will come, whether the answer is whole or not.
    func finishText() { meter.finishText() }

    /// Shows the text that came since the last time, where it is counted.
    func takeText(_ body: (AnswerTextKey, UnsafeRawBufferPointer) -> Void) { meter.takeText(body) }

    /// The answer is over.
    func finish() { meter.finish() }

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
        if let length, received >= length {
            held.writeImmutableBuffer(piece)
            return nil
        }
        guard !isFlowing else { return piece }
        held.writeImmutableBuffer(piece)
        guard held.readableBytes > wholeAnswerBytes else { return nil }
        isFlowing = true
        let output = held
        held = ByteBuffer()
        return output
    }
}
