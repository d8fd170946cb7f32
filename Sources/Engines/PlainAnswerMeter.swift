/// Reads the usage out of a plain answer while it passes, in whatever pieces it comes, keeping no more than names and
/// the usage object.
///
/// It trusts the engine to send JSON: it follows strings and brackets, and reads only what it captured strictly.
public struct PlainAnswerMeter: Sendable {
    /// What the answer has said so far.
    public private(set) var facts = AnswerFacts()

    private enum Place { case between, string, escape }
    private enum Key { case other, usage, id, model, serviceTier, error, choices, finishReason, text }

    private var place = Place.between
    private var depth = 0
    /// One bit a level, the innermost lowest: whether it is an object.
    private var objects: UInt64 = 0
    private var isKeyNext = false
    private var isKeyString = false
    private var key = Key.other
    /// The key at the outermost level under which this stands.
    private var topKey = Key.other
    private var isCapturing = false
    private var isCountingText = false
    private var captured: [UInt8] = []
    private var captureBytesMax = 0
    private var isLost = false

    /// Nesting beyond this is not followed.
    private static let depthMax = 64
    private static let keyBytesMax = 64
    private static let usageBytesMax = 64 * 1024

    /// A meter at the start of an answer.
    public init() {}

    /// Reads the next piece.
    public mutating func read(_ bytes: UnsafeRawBufferPointer) {
        var index = 0
        while index < bytes.count, !isLost {
            switch place {
            case .string: index = readString(bytes, from: index)
            case .escape:
                keep(bytes, index..<index + 1)
                place = .string
                index += 1
            case .between:
                if bytes[index] == UInt8(ascii: "\"") {
                    beginString()
                } else {
                    readDelimiter(bytes[index])
                }
                index += 1
            }
        }
    }

    private mutating func readString(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        let end = bytes.firstIndexOfStringDelimiter(from: start)
        keep(bytes, start..<end)
        if isCountingText { facts.textBytes += Int64(end - start) }
        guard end < bytes.count else { return end }
        switch bytes[end] {
        case UInt8(ascii: "\""):
            place = .between
            endString()
        case UInt8(ascii: "\\"):
            place = .escape
            keep(bytes, end..<end + 1)
            if isCountingText { facts.textBytes += 1 }
        default: break
        }
        return end + 1
    }

    private mutating func keep(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        guard isCapturing, !range.isEmpty else { return }
        guard captured.count + range.count <= captureBytesMax else { return abandonCapture() }
        captured.append(contentsOf: bytes[range])
    }

    private mutating func keep(_ byte: UInt8) {
        guard isCapturing else { return }
        guard captured.count < captureBytesMax else { return abandonCapture() }
        captured.append(byte)
    }

    private mutating func abandonCapture() {
        isCapturing = false
        captured.removeAll()
        if !isKeyString { facts.unreadCount += 1 }
    }

    private mutating func beginCapture(_ bytesMax: Int) {
        isCapturing = true
        captureBytesMax = bytesMax
        captured.removeAll(keepingCapacity: true)
    }

    private var isInUsage: Bool { topKey == .usage && depth > 1 }

    private mutating func beginString() {
        place = .string
        if isInUsage { return keep(UInt8(ascii: "\"")) }
        isKeyString = isKeyNext
        if isKeyString {
            beginCapture(PlainAnswerMeter.keyBytesMax)
        } else if depth == 1, key == .id || key == .model || key == .serviceTier {
            beginCapture(AnswerFacts.nameBytesMax)
        } else if topKey == .choices, depth == 3, key == .finishReason {
            beginCapture(AnswerFacts.nameBytesMax)
        } else {
            isCountingText = topKey == .choices && depth >= 3 && key == .text
            if depth == 1, key == .error { facts.hasError = true }
        }
    }

    private mutating func endString() {
        if isInUsage { return keep(UInt8(ascii: "\"")) }
        isCountingText = false
        if isKeyString {
            key = isCapturing ? PlainAnswerMeter.key(captured, isTop: depth == 1) : .other
            if depth == 1 { topKey = key }
        } else if isCapturing, !captured.isEmpty {
            let name = captured.withUnsafeBytes { bytes in
                JSONText(range: 0..<bytes.count, isEscaped: captured.contains(UInt8(ascii: "\\"))).value(in: bytes)
            }
            switch key {
            case .id: facts.id = name
            case .model: facts.model = name
            case .serviceTier: facts.serviceTier = name
            case .finishReason:
                facts.finishReason = name
                facts.finishedChoices += 1
            default: break
            }
        }
        isCapturing = false
        isKeyString = false
    }

    private mutating func readDelimiter(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            if depth == 1, key == .usage, byte == UInt8(ascii: "{") {
                beginCapture(PlainAnswerMeter.usageBytesMax)
            } else if depth == 1, key == .error, byte == UInt8(ascii: "{") {
                facts.hasError = true
            }
            guard depth < PlainAnswerMeter.depthMax else {
                isLost = true
                return
            }
            depth += 1
            let isObject = byte == UInt8(ascii: "{")
            objects = objects << 1 | (isObject ? 1 : 0)
            isKeyNext = isObject
            keep(byte)
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            keep(byte)
            depth -= 1
            objects >>= 1
            isKeyNext = false
            if depth < 0 { isLost = true }
            if depth == 1 { endTopValue() }
        case UInt8(ascii: ","):
            isKeyNext = objects & 1 == 1
            keep(byte)
        case UInt8(ascii: ":"):
            isKeyNext = false
            keep(byte)
        default:
            keep(byte)
        }
    }

    private mutating func endTopValue() {
        if topKey == .usage, isCapturing {
            let usage = captured.withUnsafeBytes { bytes in
                var scanner = JSONScanner(bytes)
                return try? EngineUsage(scanner: &scanner, bytes: bytes)
            }
            if let usage { facts.usage = usage } else { facts.unreadCount += 1 }
        }
        isCapturing = false
        topKey = .other
        key = .other
    }

    private static func key(_ name: [UInt8], isTop: Bool) -> Key {
        name.withUnsafeBytes { bytes in
            let text = JSONText(range: 0..<bytes.count, isEscaped: name.contains(UInt8(ascii: "\\")))
            if isTop {
                let names: [(StaticString, Key)] = [
                    ("usage", .usage), ("id", .id), ("model", .model), ("service_tier", .serviceTier),
                    ("error", .error), ("choices", .choices),
                ]
                return names.first { text.equals($0.0, in: bytes) }?.1 ?? .other
            }
            if text.equals("finish_reason", in: bytes) { return .finishReason }
            return OpenAIDialect.isContent(text, in: bytes) || text.equals("arguments", in: bytes) ? .text : .other
        }
    }
}
