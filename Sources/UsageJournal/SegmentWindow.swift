import Glibc

/// A segment file being read, a window of it in memory at a time.
final class SegmentWindow {
    let number: Int64
    let path: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var base: Int64 = 0

    /// How much is read at once.
    private static let chunkBytes = 256 * 1024

    init(directory: JournalDirectory, number: Int64) throws(JournalError) {
        self.number = number
        path = directory.segmentPath(number)
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(call: "open", path: path, code: errno) }
    }

    deinit { Glibc.close(descriptor) }

    /// The file's size, allocated and not yet written bytes included.
    func size() throws(JournalError) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(call: "fstat", path: path, code: errno) }
        return Int64(status.st_size)
    }

    /// Forgets what was read, for what a live writer has added since.
    func invalidate() { buffer.removeAll(keepingCapacity: true) }

    /// Has the bytes in memory; false when the file ends before them.
    func load(at offset: Int64, count: Int) throws(JournalError) -> Bool {
        if offset >= base, offset + Int64(count) <= base + Int64(buffer.count) { return true }
        let wanted = max(count, SegmentWindow.chunkBytes)
        var next = [UInt8](repeating: 0, count: wanted)
        var done = 0
        while done < wanted {
            let got = next.withUnsafeMutableBytes { raw in
                pread(descriptor, raw.baseAddress.map { $0 + done }, wanted - done, off_t(offset) + off_t(done))
            }
            if got < 0 {
                if errno == EINTR { continue }
                throw .system(call: "read", path: path, code: errno)
            }
            if got == 0 { break }
            done += got
        }
        next.removeLast(wanted - done)
        buffer = next
        base = offset
        return done >= count
    }

    /// Bytes that `load` has made sure of.
    func bytes(at offset: Int64, count: Int) -> ArraySlice<UInt8> {
        let start = Int(offset - base)
        return buffer[start..<start + count]
    }

    /// The same without a copy.
    func withBytes<Result>(at offset: Int64, count: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let start = Int(offset - base)
        return buffer.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<start + count])) }
    }

    /// The end of the last byte that is not zero in `start..<end`; `start` when all are.
    func dataEnd(from start: Int64, to end: Int64) throws(JournalError) -> Int64 {
        var upper = end
        while upper > start {
            let lower = max(start, upper - Int64(SegmentWindow.chunkBytes))
            let count = Int(upper - lower)
            guard try load(at: lower, count: count) else {
                // A live writer has finished the segment meanwhile and given its unused end back.
                let size = try size()
                upper = max(start, size < upper ? size : lower)
                continue
            }
            let last = withBytes(at: lower, count: count) { raw -> Int? in
                // All equal and the first one zero: one call of the C library where a loop would take long.
                guard let first = raw.baseAddress, raw[0] != 0 || memcmp(first, first + 1, count - 1) != 0 else {
                    return nil
                }
                return raw.lastIndex { $0 != 0 }
            }
            if let last { return lower + Int64(last) + 1 }
            upper = lower
        }
        return start
    }
}

extension SegmentWindow {
    /// What stands at one place.
    enum Parsed {
        case frame(kind: UInt8, version: UInt8, payload: [UInt8], end: Int64)
        /// A length of zero: nothing was written here, or it was lost.
        case nothing
        case damaged
    }

    /// Reads the frame at `offset`, which must end by `bound`.
    func parse(at offset: Int64, bound: Int64, salt: FrameSalt) throws(JournalError) -> Parsed {
        guard offset + Int64(Frame.headerBytes) <= bound else { return offset == bound ? .nothing : .damaged }
        guard try load(at: offset, count: Frame.headerBytes) else { return .damaged }
        let length = withBytes(at: offset, count: 4) { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) }
        guard length > 0 else { return .nothing }
        let total = Frame.headerBytes + Int(length)
        guard Int(length) <= Frame.payloadBytesMax, offset + Int64(total) <= bound,
            try load(at: offset, count: total)
        else { return .damaged }
        return withBytes(at: offset, count: total) { raw in
            let stored = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 6, as: UInt32.self))
            guard stored == salt.checksum(of: raw) else { return .damaged }
            let payload = Array(raw[Frame.headerBytes...])
            return .frame(kind: raw[4], version: raw[5], payload: payload, end: offset + Int64(total))
        }
    }

    /// The first place in `start..<end` where a whole frame stands; nil when there is none.
    func nextFrame(from start: Int64, to end: Int64, bound: Int64, salt: FrameSalt) throws(JournalError) -> Int64? {
        var offset = start
        while offset + Int64(Frame.headerBytes) < end {
            if try load(at: offset, count: Frame.headerBytes), looksLikeFrame(at: offset, bound: bound),
                case .frame = try parse(at: offset, bound: bound, salt: salt)
            {
                return offset
            }
            offset += 1
        }
        return nil
    }

    /// A cheap look before the checksum is taken: a length that can be and a kind and version that are written.
    private func looksLikeFrame(at offset: Int64, bound: Int64) -> Bool {
        withBytes(at: offset, count: Frame.headerBytes) { raw in
            let length = UInt32(littleEndian: raw.loadUnaligned(as: UInt32.self))
            return length > 0 && length <= UInt32(Frame.payloadBytesMax) && raw[4] > 0 && raw[4] < 32 && raw[5] > 0
                && raw[5] < 32 && offset + Int64(Frame.headerBytes) + Int64(length) <= bound
        }
    }
}
