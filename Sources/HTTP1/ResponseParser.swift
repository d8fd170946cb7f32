/// Reads the responses of one connection. `expect(isHead:)` says what was asked; interim answers (1xx) are left out.
///
///     var offset = 0
///     while let part = try parser.next(in: piece, at: &offset) { … }
///
/// Bodies are not copied: a part says where in the piece they stand. After an error nothing more can be read.
public struct ResponseParser: Sendable {
    /// What comes next of a response.
    public enum Part: Sendable {
        case head(ResponseHead)
        /// Bytes of the body: these of the piece.
        case body(Range<Int>)
        case end
    }

    private enum State {
        case head
        case body(BodyReader)
    }

    private let limits: HeadLimits
    private var state = State.head
    private var buffer = HeadBuffer()
    private var isHead = false
    private var interimAnswers = 0

    /// Interim answers to one request.
    private static let interimAnswersMax = 16

    /// A parser for a connection on which nothing has been asked yet.
    public init(limits: HeadLimits = HeadLimits(fieldBytes: 32 * 1024, listBytes: 128 * 1024)) { self.limits = limits }

    /// Whether it stands between two responses, and nothing of the next one has come.
    public var isBetweenResponses: Bool { if case .head = state { buffer.isEmpty } else { false } }

    /// Says that a request was sent, and whether its method was HEAD, whose answer has no body.
    public mutating func expect(isHead: Bool = false) { self.isHead = isHead }

    /// The next part in `piece` from `offset` on, and moves `offset` behind it; nil when all of the piece was taken.
    public mutating func next(
        in piece: UnsafeRawBufferPointer, at offset: inout Int
    ) throws(MessageError) -> Part? {
        switch state {
        case .head:
            while true {
                let bytes = try buffer.take(from: piece, at: &offset, bytesMax: limits.headBytes) {
                    $0 == UInt8(ascii: "H")
                }
                guard let bytes else { return nil }
                let head = try ResponseHead(bytes: bytes, isHead: isHead, limits: limits)
                guard head.status >= 200 else {
                    interimAnswers += 1
                    guard head.status != 101, interimAnswers <= ResponseParser.interimAnswersMax else {
                        throw .interimAnswer
                    }
                    continue
                }
                interimAnswers = 0
                state = .body(BodyReader(head.framing, trailerBytesMax: limits.listBytes))
                return .head(head)
            }
        case .body(var reader):
            switch try reader.next(in: piece, at: &offset) {
            case .bytes(let range):
                state = .body(reader)
                return .body(range)
            case .end:
                state = .head
                return .end
            case nil:
                state = .body(reader)
                return nil
            }
        }
    }

    /// The connection closed: the end of a body that ends so, nil between two responses, an error within one.
    public mutating func connectionClosed() throws(MessageError) -> Part? {
        if case .body(let reader) = state, reader.endsWithConnection {
            state = .head
            return .end
        }
        guard isBetweenResponses else { throw .incomplete }
        return nil
    }
}
