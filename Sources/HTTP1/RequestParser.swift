/// Reads the requests of one connection, one after the other, from whatever pieces the connection's bytes come in.
///
///     var offset = 0
///     while let part = try parser.next(in: piece, at: &offset) { … }
///
/// Bodies are not copied: a part says where in the piece they stand. After an error nothing more can be read.
public struct RequestParser: Sendable {
    /// What comes next of a request.
    public enum Part: Sendable {
        case head(RequestHead)
        /// Bytes of the body: these of the piece.
        case body(Range<Int>)
        /// The request is over; another may follow in the same piece.
        case end
    }

    private enum State {
        case head
        case body(BodyReader)
    }

    private let limits: HeadLimits
    private var state = State.head
    private var buffer = HeadBuffer()
    private var emptyLines = 0

    /// Pairs of empty lines between two requests; one empty line is what some old clients send.
    private static let emptyLinesMax = 4

    /// A parser for a connection that has just been accepted.
    public init(limits: HeadLimits = HeadLimits()) { self.limits = limits }

    /// Whether it stands between two requests, and nothing of the next one has come.
    public var isBetweenRequests: Bool { if case .head = state { buffer.isEmpty } else { false } }

    /// The next part in `piece` from `offset` on, and moves `offset` behind it; nil when all of the piece was taken.
    public mutating func next(
        in piece: UnsafeRawBufferPointer, at offset: inout Int
    ) throws(MessageError) -> Part? {
        switch state {
        case .head:
            while true {
                let bytes = try buffer.take(from: piece, at: &offset, bytesMax: limits.headBytes) {
                    $0.isTokenCharacter || $0 == 0x0D
                }
                guard let bytes else { return nil }
                guard let head = try RequestHead(bytes: bytes, limits: limits) else {
                    emptyLines += 1
                    guard emptyLines <= RequestParser.emptyLinesMax else { throw .requestLine }
                    continue
                }
                emptyLines = 0
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
}
