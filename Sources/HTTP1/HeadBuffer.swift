/// Gathers a head until its empty line is there. Whole in one read, as nearly all are, it is copied once.
struct HeadBuffer {
    private var bytes: [UInt8] = []
    /// How many of them hold no end for sure.
    private var scanned = 0

    /// Whether nothing has come yet.
    var isEmpty: Bool { bytes.isEmpty }

    /// Takes from `piece`, from `offset` on, what belongs to the head. Returns the head with its empty line, or nil
    /// when all of the piece was taken and more must come. `isFirst` says whether a byte may begin a head.
    mutating func take(
        from piece: UnsafeRawBufferPointer, at offset: inout Int, bytesMax: Int, isFirst: (UInt8) -> Bool
    ) throws(MessageError) -> [UInt8]? {
        guard offset < piece.count else { return nil }
        if bytes.isEmpty {
            guard isFirst(piece[offset]) else { throw .requestLine }
            let rest = UnsafeRawBufferPointer(rebasing: piece[offset...])
            if let end = try HeadBuffer.end(in: rest, from: 0, bytesMax: bytesMax) {
                offset += end
                return Array(rest[..<end])
            }
            bytes.append(contentsOf: rest)
            scanned = bytes.count
            offset = piece.count
            return nil
        }
        let before = bytes.count
        bytes.append(contentsOf: piece[offset..<min(piece.count, offset + bytesMax + 1 - before)])
        let from = scanned
        let found = try bytes.withBytes { bytes throws(MessageError) in
            try HeadBuffer.end(in: bytes, from: from, bytesMax: bytesMax)
        }
        guard let end = found else {
            scanned = bytes.count
            offset = piece.count
            return nil
        }
        offset += end - before
        bytes.removeLast(bytes.count - end)
        let head = bytes
        bytes = []
        scanned = 0
        return head
    }

    /// Where the head ends, its empty line included; nil when it does not yet. Every line feed needs its carriage
    /// return.
    private static func end(
        in bytes: UnsafeRawBufferPointer, from start: Int, bytesMax: Int
    ) throws(MessageError) -> Int? {
        var index = start
        while true {
            index = bytes.firstIndexOfLineFeed(from: index)
            // Both ways of being too large are the same to any split into reads.
            if index >= bytesMax { throw .headTooLarge }
            guard index < bytes.count else { return nil }
            guard index > 0, bytes[index - 1] == 0x0D else { throw .lineEnd }
            if index >= 3, bytes[index - 2] == 0x0A { return index + 1 }
            index += 1
        }
    }
}
