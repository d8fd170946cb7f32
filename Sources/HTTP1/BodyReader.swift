/// Finds a body's bytes among those that are read, and its end.
struct BodyReader {
    enum Part {
        /// Where in the piece bytes of the body stand.
        case bytes(Range<Int>)
        case end
    }

    private enum State {
        case ended
        case length(Int)
        case untilClose
        /// In a chunk's size: the value, and how many digits it had.
        case size(value: Int, digits: Int)
        /// In a chunk's extensions: the size, and how many bytes they had.
        case extensions(size: Int, count: Int)
        /// Before the line feed behind a chunk's size.
        case sizeLineFeed(size: Int)
        case data(Int)
        case dataReturn
        case dataLineFeed
        /// At the start of a line behind the last chunk; how many bytes those lines have had.
        case trailerStart(count: Int)
        case trailer(count: Int)
        /// In such a line's name, which has begun.
        case trailerName(count: Int)
        case trailerLineFeed(count: Int)
        case lastLineFeed
    }

    private var state = State.ended
    private let trailerBytesMax: Int

    /// The longest extensions of one chunk; nobody sends any.
    private static let extensionBytesMax = 1024

    init(_ framing: BodyFraming, trailerBytesMax: Int) {
        self.trailerBytesMax = trailerBytesMax
        switch framing {
        case .none: state = .ended
        case .length(let length): state = .length(length)
        case .chunked: state = .size(value: 0, digits: 0)
        case .untilClose: state = .untilClose
        }
    }

    /// Whether the body ends with the connection.
    var endsWithConnection: Bool { if case .untilClose = state { true } else { false } }

    /// The next part of the body in `piece` from `offset` on; nil when all of the piece was taken and more must come.
    mutating func next(
        in piece: UnsafeRawBufferPointer, at offset: inout Int
    ) throws(MessageError) -> Part? {
        while true {
            switch state {
            case .ended: return .end
            case .length(let length):
                guard let range = take(length, piece, &offset) else { return nil }
                state = range.count == length ? .ended : .length(length - range.count)
                return .bytes(range)
            case .untilClose:
                guard let range = take(Int.max, piece, &offset) else { return nil }
                return .bytes(range)
            case .data(let length):
                guard let range = take(length, piece, &offset) else { return nil }
                state = range.count == length ? .dataReturn : .data(length - range.count)
                return .bytes(range)
            default:
                guard offset < piece.count else { return nil }
                try step(piece[offset])
                offset += 1
            }
        }
    }

    private func take(_ length: Int, _ piece: UnsafeRawBufferPointer, _ offset: inout Int) -> Range<Int>? {
        let count = min(length, piece.count - offset)
        guard count > 0 else { return nil }
        defer { offset += count }
        return offset..<offset + count
    }

    /// One byte of what stands around the chunks.
    private mutating func step(_ byte: UInt8) throws(MessageError) {
        switch state {
        case .size(let value, let digits): state = try sized(byte, value: value, digits: digits)
        case .extensions(let size, let count):
            if byte == 0x0D {
                state = .sizeLineFeed(size: size)
            } else {
                guard count < BodyReader.extensionBytesMax, !byte.isForbiddenInLine else { throw .chunkSize }
                state = .extensions(size: size, count: count + 1)
            }
        case .sizeLineFeed(let size):
            guard byte == 0x0A else { throw .chunkSize }
            state = size == 0 ? .trailerStart(count: 0) : .data(size)
        case .dataReturn:
            guard byte == 0x0D else { throw .chunkEnd }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == 0x0A else { throw .chunkEnd }
            state = .size(value: 0, digits: 0)
        case .trailerStart(let count):
            if byte == 0x0D {
                state = .lastLineFeed
            } else {
                guard byte.isTokenCharacter, count < trailerBytesMax else { throw .trailer }
                state = .trailerName(count: count + 1)
            }
        case .trailerName(let count):
            guard byte.isTokenCharacter || byte == UInt8(ascii: ":"), count < trailerBytesMax else { throw .trailer }
            state = byte == UInt8(ascii: ":") ? .trailer(count: count + 1) : .trailerName(count: count + 1)
        case .trailer(let count):
            state = byte == 0x0D ? .trailerLineFeed(count: count) : try trailing(byte, count: count)
        case .trailerLineFeed(let count):
            guard byte == 0x0A else { throw .trailer }
            state = .trailerStart(count: count + 2)
        case .lastLineFeed:
            guard byte == 0x0A else { throw .trailer }
            state = .ended
        case .ended, .length, .untilClose, .data: break
        }
    }

    private func sized(_ byte: UInt8, value: Int, digits: Int) throws(MessageError) -> State {
        let digit = byte.hexadecimalValue
        if digit < 16 {
            // Fifteen digits always fit; more than that is nobody's chunk, and would overflow.
            guard digits < 15 else { throw .chunkSize }
            return .size(value: value << 4 | Int(digit), digits: digits + 1)
        }
        guard digits > 0 else { throw .chunkSize }
        switch byte {
        case 0x0D: return .sizeLineFeed(size: value)
        case UInt8(ascii: ";"): return .extensions(size: value, count: 0)
        default: throw .chunkSize
        }
    }

    private func trailing(_ byte: UInt8, count: Int) throws(MessageError) -> State {
        guard count < trailerBytesMax, !byte.isForbiddenInLine else { throw .trailer }
        return .trailer(count: count + 1)
    }
}

extension UInt8 {
    /// Control characters other than a tab.
    fileprivate var isForbiddenInLine: Bool { self < 0x20 && self != 0x09 || self == 0x7F }
}
