/// One track of a movie.
struct MP4Track {
    private(set) var id: UInt32 = 0
    /// How long a sample of a fragment is that does not say it.
    var usualDuration: Int64 = 0
    private var isSound = false
    private var timescale: Int64 = 0
    /// In `timescale`, as are all times here.
    private var headerDuration: Int64 = 0
    private var samplesDuration: Int64 = 0
    private var samples: Int64 = 0
    /// Bytes of all samples so far: a table that promises more than the file has lies.
    private var sampleBytes: Int64 = 0
    private var codec = PacketFrames.unknown

    /// What a sample of sound is.
    private enum PacketFrames {
        case each(samples: Int64, rate: Int64)
        case unknown
    }

    mutating func read(trak range: Range<Int>, _ bytes: UnsafeRawBufferPointer) {
        MP4Box.each(in: bytes, range) { box in
            if box.isNamed("tkhd", bytes) {
                let isLong = bytes.big(UInt8.self, at: box.content.lowerBound) == 1
                id = bytes.big(UInt32.self, at: box.content.lowerBound + (isLong ? 20 : 12)) ?? 0
            } else if box.isNamed("mdia", bytes) {
                MP4Box.each(in: bytes, box.content) { box in
                    if box.isNamed("mdhd", bytes) {
                        read(mdhd: box.content.lowerBound, bytes)
                    } else if box.isNamed("hdlr", bytes) {
                        isSound = bytes.hasBytes("soun", at: box.content.lowerBound + 8)
                    } else if box.isNamed("minf", bytes) {
                        MP4Box.each(in: bytes, box.content) { box in
                            if box.isNamed("stbl", bytes) { read(stbl: box.content, bytes) }
                        }
                    }
                }
            }
        }
    }

    private mutating func read(mdhd start: Int, _ bytes: UnsafeRawBufferPointer) {
        if bytes.big(UInt8.self, at: start) == 1 {
            timescale = bytes.big(UInt32.self, at: start + 20).map(Int64.init) ?? 0
            headerDuration = Int64(clamping: bytes.big(UInt64.self, at: start + 24) ?? 0)
        } else {
            timescale = bytes.big(UInt32.self, at: start + 12).map(Int64.init) ?? 0
            headerDuration = bytes.big(UInt32.self, at: start + 16).map(Int64.init) ?? 0
        }
    }

    // MARK: Samples

    private mutating func read(stbl range: Range<Int>, _ bytes: UnsafeRawBufferPointer) {
        var times: Range<Int>?
        MP4Box.each(in: bytes, range) { box in
            if box.isNamed("stsd", bytes) {
                read(stsd: box.content, bytes)
            } else if box.isNamed("stsz", bytes) {
                read(stsz: box.content, bytes)
            } else if box.isNamed("stz2", bytes) {
                read(stz2: box.content, bytes)
            } else if box.isNamed("stts", bytes) {
                times = box.content
            }
        }
        guard let times else { return }
        var left = samples
        var offset = times.lowerBound + 8
        while left > 0, offset + 8 <= times.upperBound, let count = bytes.big(UInt32.self, at: offset),
            let duration = bytes.big(UInt32.self, at: offset + 4)
        {
            let taken = min(left, Int64(count))
            add(duration: Int64(duration), times: taken)
            left -= taken
            offset += 8
        }
    }

    private mutating func add(duration: Int64, times count: Int64) {
        let (product, isOver) = duration.multipliedReportingOverflow(by: count)
        let (sum, overflows) = samplesDuration.addingReportingOverflow(isOver ? .max : product)
        samplesDuration = overflows ? .max : sum
    }

    /// The sizes of samples: as many samples count as the file has bytes for.
    private mutating func read(stsz range: Range<Int>, _ bytes: UnsafeRawBufferPointer) {
        guard let size = bytes.big(UInt32.self, at: range.lowerBound + 4),
            let count = bytes.big(UInt32.self, at: range.lowerBound + 8)
        else { return }
        if size > 0 {
            samples = min(Int64(count), Int64(bytes.count) / Int64(size))
            return
        }
        var offset = range.lowerBound + 12
        while samples < Int64(count), offset + 4 <= range.upperBound, let size = bytes.big(UInt32.self, at: offset),
            addSample(bytes: Int64(size), fileBytes: bytes.count)
        {
            offset += 4
        }
    }

    private mutating func read(stz2 range: Range<Int>, _ bytes: UnsafeRawBufferPointer) {
        guard let width = bytes.big(UInt8.self, at: range.lowerBound + 7), [4, 8, 16].contains(width),
            let count = bytes.big(UInt32.self, at: range.lowerBound + 8)
        else { return }
        samples = min(Int64(count), Int64(max(0, range.count - 12)) * 8 / Int64(width))
    }

    private mutating func addSample(bytes size: Int64, fileBytes: Int) -> Bool {
        guard size <= Int64(fileBytes) - sampleBytes else { return false }
        sampleBytes += size
        samples += 1
        return true
    }

    /// A run of samples of a fragment.
    mutating func read(run range: Range<Int>, usualDuration: Int64, _ bytes: UnsafeRawBufferPointer) {
        guard let flags = bytes.big(UInt32.self, at: range.lowerBound),
            let count = bytes.big(UInt32.self, at: range.lowerBound + 4)
        else { return }
        var offset = range.lowerBound + 8 + (flags & 0x1 != 0 ? 4 : 0) + (flags & 0x4 != 0 ? 4 : 0)
        let fields = [0x100, 0x200, 0x400, 0x800].filter { flags & $0 != 0 }.count
        guard fields > 0 else {
            // Samples all alike have at least a byte each.
            let taken = min(Int64(count), max(0, Int64(bytes.count) - samples))
            samples += taken
            return add(duration: usualDuration, times: taken)
        }
        for _ in 0..<count {
            guard offset + fields * 4 <= range.upperBound else { return }
            var duration = usualDuration
            if flags & 0x100 != 0 { duration = bytes.big(UInt32.self, at: offset).map(Int64.init) ?? 0 }
            let sizePlace = offset + (flags & 0x100 != 0 ? 4 : 0)
            let size = flags & 0x200 != 0 ? bytes.big(UInt32.self, at: sizePlace) ?? 0 : 1
            guard addSample(bytes: Int64(size), fileBytes: bytes.count) else { return }
            add(duration: duration, times: 1)
            offset += fields * 4
        }
    }

    // MARK: The codec

    private mutating func read(stsd range: Range<Int>, _ bytes: UnsafeRawBufferPointer) {
        let start = range.lowerBound + 8
        guard let size = bytes.big(UInt32.self, at: start), start + 36 <= range.upperBound,
            let version = bytes.big(UInt16.self, at: start + 16), let fixed = bytes.big(UInt32.self, at: start + 32)
        else { return }
        let end = min(range.upperBound, start + max(36, Int(size)))
        let rate = Int64(fixed >> 16)
        // Boxes behind the fields of a sample entry, which QuickTime made longer twice.
        let inner = start + (version == 1 ? 52 : version == 2 ? 72 : 36)
        if bytes.hasBytes("mp4a", at: start + 4) {
            if inner < end, let setup = MP4Descriptors.setup(in: bytes, inner..<end) {
                codec = .each(samples: setup.samplesPerFrame, rate: setup.rate)
            }
        } else if bytes.hasBytes("alac", at: start + 4), rate > 0 {
            codec = .each(samples: 4096, rate: rate)
        } else if bytes.hasBytes("ac-3", at: start + 4), rate > 0 {
            codec = .each(samples: 1536, rate: rate)
        }
    }

    /// `movieMilliseconds` is what the movie says of all its tracks, edits included.
    func length(movieMilliseconds: Int64, byteCount: Int) -> SoundLength? {
        guard isSound, timescale > 0 else { return nil }
        let header = SoundClock.milliseconds(samples: max(0, headerDuration), rate: timescale)
        let summed = SoundClock.milliseconds(samples: samplesDuration, rate: timescale)
        if case .each(let size, let rate) = codec, samples > 0 {
            let (all, overflows) = samples.multipliedReportingOverflow(by: size)
            let sound = SoundClock.milliseconds(samples: overflows ? .max : all, rate: rate)
            let edited = SoundLength(header: movieMilliseconds, sound: sound)
            return edited.isDisputed ? SoundLength(header: header > 0 ? header : nil, sound: sound) : edited
        }
        return SoundLength(header: max(header, summed), byteCount: byteCount)
    }
}

/// The descriptors of `esds` (ISO 14496-1): one in the other, the innermost is what the decoder is set up with.
enum MP4Descriptors {
    /// How deep a box may lie in the sample entry: QuickTime puts it into `wave`.
    private static let depthMax = 2

    static func setup(in bytes: UnsafeRawBufferPointer, _ range: Range<Int>, depth: Int = 0) -> AACConfiguration? {
        var found: AACConfiguration?
        MP4Box.each(in: bytes, range) { box in
            guard found == nil else { return }
            if box.isNamed("esds", bytes) {
                found = setup(descriptors: box.content.lowerBound + 4, box.content.upperBound, bytes)
            } else if box.isNamed("wave", bytes), depth < depthMax {
                found = setup(in: bytes, box.content, depth: depth + 1)
            }
        }
        return found
    }

    private static func setup(
        descriptors start: Int, _ end: Int, _ bytes: UnsafeRawBufferPointer
    ) -> AACConfiguration? {
        var offset = start
        while offset + 2 <= end {
            let tag = bytes[offset]
            offset += 1
            var length = 0
            for _ in 0..<4 where offset < end {
                let byte = bytes[offset]
                offset += 1
                length = length << 7 | Int(byte & 0x7F)
                if byte & 0x80 == 0 { break }
            }
            switch tag {
            case 3:
                guard let flags = bytes.big(UInt8.self, at: offset + 2) else { return nil }
                offset += 3 + (flags & 0x80 != 0 ? 2 : 0) + (flags & 0x20 != 0 ? 2 : 0)
                if flags & 0x40 != 0 { offset += 1 + Int(bytes.big(UInt8.self, at: offset) ?? 0) }
            case 4: offset += 13
            case 5: return offset < end ? AACConfiguration(bytes.part(offset..<min(end, offset + length))) : nil
            default: offset += length
            }
        }
        return nil
    }
}
