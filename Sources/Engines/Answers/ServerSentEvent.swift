extension StreamedEvent {
    /// Reads the lines of one server-sent event, with or without the empty line at its end, and shows it to `body`; nil
    /// when it holds no data (HTML Living Standard, section 9.2.6).
    @inline(__always)
    static func withServerSentEvent<Result>(
        _ bytes: UnsafeRawBufferPointer, _ body: (StreamedEvent) -> Result
    ) -> Result? {
        var lines = EventLines(bytes: bytes)
        var name: Range<Int>?
        var data: Range<Int>?
        var joined: [UInt8]?
        while let field = lines.next() {
            switch field.kind {
            case .data:
                if let first = data {
                    // Several data lines are one text with line feeds between: rare, so it may cost a copy.
                    if joined == nil { joined = Array(bytes[first]) }
                    joined?.append(0x0A)
                    joined?.append(contentsOf: bytes[field.value])
                } else {
                    data = field.value
                }
            case .event: name = field.value
            case .error:
                // llama.cpp names the field, not the event.
                name = field.name
                data = data ?? field.value
            case .other: break
            }
        }
        guard let data else { return nil }
        if let joined {
            return joined.withUnsafeBytes {
                body(StreamedEvent(bytes: bytes, name: name, data: $0, dataOffset: nil))
            }
        }
        return body(
            StreamedEvent(bytes: bytes, name: name, data: bytes.part(data), dataOffset: data.lowerBound))
    }

    /// Whether the data is `[DONE]`, with or without space around it.
    var isDone: Bool {
        guard data.count <= 32, let first = data.first, first == UInt8(ascii: "[") || first == 0x20 || first == 0x09
        else { return false }
        return data.equals("[DONE]", in: data.trimmedRange)
    }
}

extension UnsafeRawBufferPointer {
    /// Everything but white space at either end.
    fileprivate var trimmedRange: Range<Int> {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        var start = 0
        var end = count
        while start < end, isSpace(self[start]) { start += 1 }
        while end > start, isSpace(self[end - 1]) { end -= 1 }
        return start..<end
    }
}

/// The lines of one event as fields.
private struct EventLines {
    enum Kind { case data, event, error, other }

    let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        // A byte-order mark at the beginning of the stream.
        if bytes.first == 0xEF, bytes.hasBytes("\u{FEFF}", at: 0) { offset = 3 }
    }

    mutating func next() -> (kind: Kind, name: Range<Int>, value: Range<Int>)? {
        guard offset < bytes.count else { return nil }
        let end = bytes.firstIndexOfLineEnd(from: offset)
        let line = offset..<end
        offset = end + 1
        let start = line.lowerBound
        if bytes.hasBytes("data:", at: start) { return (.data, start..<start + 4, value(of: line, after: 5)) }
        if bytes.hasBytes("event:", at: start) { return (.event, start..<start + 5, value(of: line, after: 6)) }
        if bytes.hasBytes("error:", at: start) { return (.error, start..<start + 5, value(of: line, after: 6)) }
        return (.other, line, line)
    }

    private func value(of line: Range<Int>, after prefix: Int) -> Range<Int> {
        var start = line.lowerBound + prefix
        if start < line.upperBound, bytes[start] == 0x20 { start += 1 }
        return start..<line.upperBound
    }
}
