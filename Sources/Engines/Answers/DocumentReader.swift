/// Follows a plain JSON answer in whatever pieces it comes, and keeps only what a `DocumentShape` asks for.
///
/// It trusts the engine to send JSON: it follows strings and brackets, and what it keeps is read strictly by others.
struct DocumentReader: Sendable {
    /// What the model wrote of what has come, as the shape says where it stands.
    var written: WrittenContent {
        var written = finishedContent
        var repeated = repeatedReasoning
        if isCounting { finishString(into: &written, &repeated) }
        let reasoning = repeated.values.max() ?? 0
        written.textBytes += reasoning
        written.reasoningBytes += reasoning
        return written
    }
    /// Bytes of reasoning by the part that it stands in, of those that may repeat one another.
    private var repeatedReasoning: [Int: Int64] = [:]
    private var finishedContent = WrittenContent()
    /// Whether an object or a list has begun: without one it is no document.
    private(set) var hasBegun = false
    /// Bytes that were read.
    var byteCount: Int { consumed }
    /// Elements of the arrays that the shape counts.
    private(set) var items: Int64 = 0
    /// Whether there is such an array.
    private(set) var hasItems = false
    /// Bytes of all texts that the shape has no name for, where they are asked for. Those that hold no words are taken
    /// for pictures.
    private(set) var otherTextBytes: Int64 = 0
    private var other: (bytes: Int64, hasWords: Bool)?
    /// Where the part read last stood in the answer, in bytes from its start.
    private(set) var partRange = 0..<0

    private enum Place { case between, string, escape, scalar }
    private static let nothing = -1
    /// Nesting beyond this is not followed.
    private static let depthMax = 64

    private let shape: DocumentShape
    private var place = Place.between
    private var depth = 0
    /// One bit a level, the innermost lowest: whether it is an object.
    private var objects: UInt64 = 0
    /// The node of each level, outermost first.
    private var nodes: [Int] = []
    /// The node of the value that comes next.
    private var nextNode = 0
    private var isKeyNext = false
    private var isKey = false
    /// Whether the string at hand is something that the model wrote: what, its bytes so far, and the first of them.
    private var isCounting = false
    private var countedWish = DocumentShape.Content.text
    private var countedPart = 0
    private var countedBytes: Int64 = 0
    private var countedHead: [UInt8] = []
    private var isLost = false
    /// Inside an object whose JSON the model wrote: its depth, and where it began.
    private var writtenDepth: Int?
    private var writtenStart = 0
    private var consumed = 0

    /// What is being kept: a key, or the part.
    private var captured: [UInt8] = []
    private var isCapturing = false
    private var captureBytesMax = 0
    private var capturePart: Int?
    private var captureDepth = 0
    private var captureStart = 0
    private var finishedPart: Int?
    private var tooLongCount: Int64 = 0
    /// Where the piece at hand is read on.
    private var position = 0

    init(shape: DocumentShape, countsOtherText: Bool = false) {
        self.shape = shape
        if countsOtherText { other = (0, false) }
    }

    /// Reads on in a piece until a wanted part is whole, and says which; nil when the piece is read. Ask with the same
    /// piece until then; `withPart` shows the part.
    mutating func nextPart(in bytes: UnsafeRawBufferPointer) -> Int? {
        var index = position
        let start = index
        defer { ReadingSteps.add(index - start + 1) }
        while index < bytes.count, !isLost, finishedPart == nil {
            switch place {
            case .string: index = readString(bytes, from: index)
            case .escape:
                keep(bytes, index..<index + 1)
                place = .string
                index += 1
            case .scalar: index = readScalar(bytes, from: index)
            case .between:
                readByte(bytes[index], at: index)
                index += 1
            }
        }
        if let part = finishedPart {
            position = index
            finishedPart = nil
            return part
        }
        position = 0
        consumed += bytes.count
        return nil
    }

    /// The part that `nextPart` found last; empty when it was longer than wanted.
    func withPart(_ body: (UnsafeRawBufferPointer) -> Void) { captured.withUnsafeBytes(body) }

    /// Shows the beginning of a wanted part whose end has not come.
    func withUnfinishedPart(_ body: (_ part: Int, UnsafeRawBufferPointer) -> Void) {
        guard isCapturing, let capturePart else { return }
        captured.withUnsafeBytes { body(capturePart, $0) }
    }

    /// Where a wanted part whose end has not come began, in bytes from the answer's start.
    var unfinishedPartStart: Int? { isCapturing && capturePart != nil ? captureStart : nil }

    /// How many values were too long since this was last asked.
    mutating func takeTooLongCount() -> Int64 {
        defer { tooLongCount = 0 }
        return tooLongCount
    }

    // MARK: Strings and scalars

    private mutating func readString(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        let end = bytes.firstIndexOfStringDelimiter(from: start)
        keep(bytes, start..<end)
        if isCounting {
            count(bytes[start..<end])
        } else if !isKey, let known = other {
            let hasWords = known.hasWords || bytes[start..<end].contains { $0 == 0x20 || $0 >= 0x80 }
            other = (known.bytes + Int64(end - start), hasWords)
        }
        guard end < bytes.count else { return end }
        switch bytes[end] {
        case UInt8(ascii: "\""):
            place = .between
            if isKey { endKey() } else { endString(at: end) }
        case UInt8(ascii: "\\"):
            place = .escape
            keep(bytes, end..<end + 1)
            if isCounting { countedBytes += 1 }
        default: break
        }
        return end + 1
    }

    private mutating func beginString(at index: Int) {
        place = .string
        if isCapturing { return keep(UInt8(ascii: "\"")) }
        isKey = isKeyNext
        if isKey {
            if nodes.last != DocumentReader.nothing { beginCapture(shape.tree.nameBytesMax * 6, part: nil, at: index) }
        } else {
            beginValue(at: index)
            if !isCapturing, writtenDepth == nil, let content = wantedContent {
                isCounting = true
                countedWish = content
                countedPart = shape.tree.nodes[nextNode].part ?? 0
                countedBytes = 0
                countedHead.removeAll(keepingCapacity: true)
            }
            keep(UInt8(ascii: "\""))
        }
    }

    private mutating func endKey() {
        isKey = false
        nextNode = DocumentReader.nothing
        if isCapturing, let node = nodes.last, node != DocumentReader.nothing {
            nextNode = shape.tree.node(after: decodedKey, from: node) ?? DocumentReader.nothing
        }
        isCapturing = false
    }

    private var decodedKey: [UInt8] {
        guard captured.contains(UInt8(ascii: "\\")) else { return captured }
        return captured.withUnsafeBytes { bytes in
            Array(JSONText(range: 0..<bytes.count, isEscaped: true).value(in: bytes).utf8)
        }
    }

    private mutating func endString(at index: Int) {
        if isCounting {
            finishString(into: &finishedContent, &repeatedReasoning)
            isCounting = false
        }
        finishOther()
        keep(UInt8(ascii: "\""))
        if isCapturing || capturePart != nil, depth == captureDepth { endCapture(at: index + 1) }
    }

    /// No picture is shorter in Base64.
    private static let wordlessBytesMax: Int64 = 512

    private mutating func finishOther() {
        guard let (bytes, hasWords) = other else { return }
        let isText = hasWords || bytes <= DocumentReader.wordlessBytesMax
        let picture = MediaKind.picture.tokens(inBytes: bytes * 3 / 4).likely * UsageEstimate.bytesPerToken
        otherTextBytes += isText ? bytes : picture
        other = (0, false)
    }

    private mutating func count(_ part: Slice<UnsafeRawBufferPointer>) {
        countedBytes += Int64(part.count)
        if countedHead.count < DeliveredMedia.headBytesMax {
            countedHead += part.prefix(DeliveredMedia.headBytesMax - countedHead.count)
        }
    }

    private func finishString(into written: inout WrittenContent, _ repeated: inout [Int: Int64]) {
        switch countedWish {
        case .text: written.textBytes += countedBytes
        case .reasoning:
            written.textBytes += countedBytes
            written.reasoningBytes += countedBytes
        case .repeatedReasoning: repeated[countedPart, default: 0] += countedBytes
        case .encrypted: written.takeHidden(base64Bytes: countedBytes)
        case .media(let kind): written.media.take(kind, head: countedHead, textBytes: countedBytes)
        }
    }

    private mutating func readScalar(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var end = start
        while end < bytes.count, !DocumentReader.isDelimiter(bytes[end]) { end += 1 }
        keep(bytes, start..<end)
        if end < bytes.count {
            place = .between
            if isCapturing || capturePart != nil, depth == captureDepth { endCapture(at: end) }
        }
        return end
    }

    private static func isDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), UInt8(ascii: ":"), UInt8(ascii: "\""), 0x20,
            0x09, 0x0A, 0x0D:
            true
        default: false
        }
    }

    // MARK: Structure

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    private mutating func readByte(_ byte: UInt8, at index: Int) {
        switch byte {
        case UInt8(ascii: "\""): beginString(at: index)
        case UInt8(ascii: "{"), UInt8(ascii: "["): open(byte, at: index)
        case UInt8(ascii: "}"), UInt8(ascii: "]"): close(byte, at: index)
        case UInt8(ascii: ","):
            isKeyNext = objects & 1 == 1
            if !isKeyNext { nextNode = nodes.last ?? DocumentReader.nothing }
            keep(byte)
        case UInt8(ascii: ":"):
            isKeyNext = false
            keep(byte)
        case 0x20, 0x09, 0x0A, 0x0D: keep(byte)
        case _ where depth == 0 && consumed + index < 3 && DocumentReader.byteOrderMark.contains(byte): break
        default:
            if !isCapturing { beginValue(at: index, isNull: byte == UInt8(ascii: "n")) }
            keep(byte)
            place = .scalar
        }
    }

    private mutating func open(_ byte: UInt8, at index: Int) {
        hasBegun = true
        if !isCapturing { beginValue(at: index) }
        guard depth < DocumentReader.depthMax else {
            isLost = true
            return
        }
        let isObject = byte == UInt8(ascii: "{")
        if isObject, writtenDepth == nil, capturePart == nil, isWanted(.object) {
            writtenDepth = depth
            writtenStart = consumed + index
        }
        if !isObject, depth > 0, objects & 1 == 1, isWanted(.items) { hasItems = true }
        depth += 1
        objects = objects << 1 | (isObject ? 1 : 0)
        nodes.append(capturePart == nil ? nextNode : DocumentReader.nothing)
        isKeyNext = isObject
        keep(byte)
    }

    private mutating func close(_ byte: UInt8, at index: Int) {
        keep(byte)
        guard depth > 0 else {
            isLost = true
            return
        }
        depth -= 1
        objects >>= 1
        if depth == writtenDepth {
            finishedContent.textBytes += Int64(consumed + index + 1 - writtenStart)
            writtenDepth = nil
        }
        nodes.removeLast()
        isKeyNext = false
        nextNode = DocumentReader.nothing
        if capturePart != nil, depth == captureDepth { endCapture(at: index + 1) }
    }

    /// A value begins: it may be wanted whole, or be an element that counts.
    private mutating func beginValue(at index: Int, isNull: Bool = false) {
        guard capturePart == nil, nextNode != DocumentReader.nothing else { return }
        if depth > 0, objects & 1 == 0, !isNull, isWanted(.items) { items += 1 }
        guard let part = shape.tree.nodes[nextNode].part, case .value(let bytesMax) = shape.parts[part].wish else {
            return
        }
        beginCapture(bytesMax, part: part, at: index)
    }

    private enum Kind { case object, items }

    private var wantedPart: DocumentShape.Part? {
        guard nextNode != DocumentReader.nothing, let part = shape.tree.nodes[nextNode].part else { return nil }
        return shape.parts[part]
    }

    private func isWanted(_ kind: Kind) -> Bool {
        switch (wantedPart?.wish, kind) {
        case (.written, .object), (.items, .items): true
        default: false
        }
    }

    /// What a string that begins here is of what the model wrote; nil for anything else.
    private var wantedContent: DocumentShape.Content? {
        switch wantedPart?.wish {
        case .content(let content): content
        case .written: .text
        case .value, .items, nil: nil
        }
    }

    // MARK: Keeping

    private mutating func beginCapture(_ bytesMax: Int, part: Int?, at index: Int) {
        isCapturing = true
        captureBytesMax = bytesMax
        capturePart = part
        captureDepth = depth
        captureStart = consumed + index
        captured.removeAll(keepingCapacity: true)
    }

    private mutating func endCapture(at end: Int) {
        guard let part = capturePart else { return }
        partRange = captureStart..<consumed + end
        finishedPart = part
        isCapturing = false
        capturePart = nil
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
        if capturePart != nil { tooLongCount += 1 }
    }
}
