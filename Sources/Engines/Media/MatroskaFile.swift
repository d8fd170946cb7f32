/// WebM and Matroska (RFC 9559): elements in elements, each with an id and a size, which a live recording leaves open.
///
/// Read as one flat row of elements: those that hold others are entered, wherever they stand, the rest is passed over.
enum MatroskaFile {
    static let magic: UInt32 = 0x1A45_DFA3

    static func length(of bytes: UnsafeRawBufferPointer) -> SoundLength? {
        var reading = MatroskaReading(byteCount: bytes.count)
        var offset = 0
        while offset < bytes.count {
            guard let element = MatroskaElement(bytes, at: offset) else {
                offset = nextCluster(in: bytes, from: offset + 1)
                continue
            }
            if let id = MatroskaID(rawValue: element.id) {
                reading.take(id, bytes.part(element.content))
                offset = id.holdsOthers ? element.content.lowerBound : element.content.upperBound
            } else {
                offset = element.content.upperBound
            }
        }
        return reading.length
    }

    /// Decoders go on behind damage where the next cluster begins.
    private static func nextCluster(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var offset = start
        while offset + 4 <= bytes.count {
            if bytes[offset] == 0x1F, bytes.big(UInt32.self, at: offset) == MatroskaID.cluster.rawValue {
                return offset
            }
            offset += 1
        }
        return bytes.count
    }
}

/// The elements that are looked into.
private enum MatroskaID: UInt32 {
    case segment = 0x1853_8067
    case info = 0x1549_A966
    case timecodeScale = 0x2A_D7B1
    case duration = 0x4489
    case tracks = 0x1654_AE6B
    case trackEntry = 0xAE
    case trackNumber = 0xD7
    case trackType = 0x83
    case codecID = 0x86
    case codecPrivate = 0x63A2
    case audio = 0xE1
    case cluster = 0x1F43_B675
    case timecode = 0xE7
    case simpleBlock = 0xA3
    case blockGroup = 0xA0
    case block = 0xA1

    var holdsOthers: Bool {
        switch self {
        case .segment, .info, .tracks, .trackEntry, .audio, .cluster, .blockGroup: true
        default: false
        }
    }
}

private struct MatroskaElement {
    let id: UInt32
    /// Up to the file's end where its size is open or larger than that.
    let content: Range<Int>

    init?(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        let idBytes = bytes[offset].leadingZeroBitCount + 1
        guard idBytes <= 4, offset + idBytes < bytes.count else { return nil }
        id = bytes[offset..<offset + idBytes].reduce(0) { $0 << 8 | UInt32($1) }
        guard let size = VariableInteger(bytes, at: offset + idBytes) else { return nil }
        let start = offset + idBytes + size.byteCount
        let left = Int64(bytes.count - start)
        let length = size.isOpen ? left : min(left, size.value)
        content = start..<start + Int(length)
    }
}

/// An integer that says its own size by the zeros in front.
private struct VariableInteger {
    let value: Int64
    let byteCount: Int
    /// All bits set: not known.
    let isOpen: Bool

    init?(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        guard let first = bytes.big(UInt8.self, at: offset), first != 0 else { return nil }
        byteCount = first.leadingZeroBitCount + 1
        guard offset + byteCount <= bytes.count else { return nil }
        let all = bytes[offset..<offset + byteCount].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        let mask = Int64(1) << Int64(7 * byteCount) - 1
        value = all & mask
        isOpen = value == mask
    }
}

/// A track of sound.
private struct MatroskaTrack {
    var number: Int64 = 0
    var isSound = false
    /// Its codec's name and what the codec is set up with, in whatever order they come.
    var codec: [UInt8] = [] { didSet { packets = MatroskaTrack.packets(of: codec, setup) } }
    var setup: [UInt8] = [] { didSet { packets = MatroskaTrack.packets(of: codec, setup) } }
    /// Where its last block begins, in units of the file's own scale.
    var lastTime: Int64 = 0
    private(set) var clock = SoundClock()
    private var packets = PacketClock.unknown

    mutating func add(_ packet: UnsafeRawBufferPointer, count: Int64) {
        packets.add(packet, count: count, to: &clock)
    }

    private static func packets(of codec: [UInt8], _ setup: [UInt8]) -> PacketClock {
        codec.withUnsafeBytes { codec in
            setup.withUnsafeBytes { setup in
                if codec.hasBytes("A_OPUS", at: 0) { return .opus }
                if codec.hasBytes("A_MPEG/L", at: 0) { return .mpeg }
                if codec.hasBytes("A_VORBIS", at: 0) { return vorbis(setup) ?? .unknown }
                if codec.hasBytes("A_AAC", at: 0) { return AACConfiguration(setup).map { .aac($0) } ?? .unknown }
                guard codec.hasBytes("A_FLAC", at: 0) else { return .unknown }
                return FLACFile.StreamInfo(setup, at: 8).map { .flac(rate: $0.rate) } ?? .unknown
            }
        }
    }

    /// Vorbis's three headers, the sizes of the first two in front.
    private static func vorbis(_ setup: UnsafeRawBufferPointer) -> PacketClock? {
        guard setup.first == 2 else { return nil }
        var offset = 1
        var sizes: [Int] = []
        for _ in 0..<2 {
            var size = 0
            while let byte = setup.big(UInt8.self, at: offset) {
                size += Int(byte)
                offset += 1
                if byte < 255 { break }
            }
            sizes.append(size)
        }
        guard offset + sizes[0] + sizes[1] < setup.count,
            var clock = VorbisClock(identification: setup.part(offset..<offset + sizes[0]))
        else { return nil }
        clock.take(setup: setup.part(offset + sizes[0] + sizes[1]..<setup.count))
        return .vorbis(clock)
    }
}

private struct MatroskaReading {
    private let byteCount: Int
    /// Nanoseconds of the unit of times.
    private var scale: Int64 = 1_000_000
    private var duration: Int64 = 0
    private var tracks: [MatroskaTrack] = []
    private var clusterTime: Int64 = 0

    /// Tracks that are read; more are passed over.
    private static let tracksMax = 64
    /// The most of a codec's setup that is kept.
    private static let setupBytesMax = 256 * 1024

    init(byteCount: Int) { self.byteCount = byteCount }

    mutating func take(_ id: MatroskaID, _ value: UnsafeRawBufferPointer) {
        switch id {
        case .timecodeScale: scale = max(1, Self.number(value))
        case .duration: duration = max(duration, Self.float(value))
        case .trackEntry:
            guard tracks.count < MatroskaReading.tracksMax else { return }
            tracks.append(MatroskaTrack())
        case .timecode: clusterTime = Self.number(value)
        case .simpleBlock, .block: take(block: value)
        case .trackNumber: lastTrack?.number = Self.number(value)
        case .trackType: lastTrack?.isSound = Self.number(value) == 2
        case .codecID: lastTrack?.codec = Array(value.prefix(32))
        case .codecPrivate:
            if value.count <= MatroskaReading.setupBytesMax { lastTrack?.setup = Array(value) }
        case .segment, .info, .tracks, .audio, .cluster, .blockGroup: break
        }
    }

    private var lastTrack: MatroskaTrack? {
        get { tracks.last }
        set { if let newValue, !tracks.isEmpty { tracks[tracks.count - 1] = newValue } }
    }

    private mutating func take(block: UnsafeRawBufferPointer) {
        guard let track = VariableInteger(block, at: 0), let time = block.big(Int16.self, at: track.byteCount),
            let flags = block.big(UInt8.self, at: track.byteCount + 2),
            let index = tracks.firstIndex(where: { $0.number == track.value && $0.isSound })
        else { return }
        var start = track.byteCount + 3
        var frames: Int64 = 1
        if flags & 0x06 != 0 {
            // Several frames in one block, their sizes in front: at least the first is looked at.
            frames = Int64(block.big(UInt8.self, at: start) ?? 0) + 1
            start += 1 + (flags & 0x06 == 0x04 ? 0 : sizesBytes(block, at: start + 1, Int(frames) - 1, flags))
        }
        tracks[index].lastTime = max(tracks[index].lastTime, clusterTime &+ Int64(time))
        guard start < block.count else { return }
        tracks[index].add(block.part(start..<block.count), count: frames)
    }

    /// How many bytes the sizes of so many frames take: Xiph's run of 255s, or EBML's integers.
    private func sizesBytes(_ block: UnsafeRawBufferPointer, at start: Int, _ count: Int, _ flags: UInt8) -> Int {
        var offset = start
        for _ in 0..<count {
            if flags & 0x06 == 0x06 {
                offset += VariableInteger(block, at: offset)?.byteCount ?? 1
            } else {
                while block.big(UInt8.self, at: offset) == 255 { offset += 1 }
                offset += 1
            }
        }
        return offset - start
    }

    var length: SoundLength? {
        let header = milliseconds(duration)
        let lengths = tracks.filter(\.isSound).compactMap { track -> SoundLength? in
            let sound = track.clock.milliseconds
            guard sound == 0 else { return SoundLength(header: header > 0 ? header : nil, sound: sound) }
            return SoundLength(header: max(header, milliseconds(track.lastTime)), byteCount: byteCount)
        }
        return lengths.max { $0.milliseconds < $1.milliseconds }
    }

    private func milliseconds(_ units: Int64) -> Int64 {
        guard units > 0 else { return 0 }
        return Int64(clamping: (Int128(units) * Int128(scale) + 999_999) / 1_000_000)
    }

    private static func number(_ value: UnsafeRawBufferPointer) -> Int64 {
        guard value.count <= 8 else { return 0 }
        return Int64(clamping: value.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    /// A number of the file's own binary fractions, cut off.
    private static func float(_ value: UnsafeRawBufferPointer) -> Int64 {
        let number: Double
        switch value.count {
        case 4: number = Double(Float(bitPattern: value.big(UInt32.self, at: 0) ?? 0))
        case 8: number = Double(bitPattern: value.big(UInt64.self, at: 0) ?? 0)
        default: return 0
        }
        return Int64(exactly: number.rounded(.towardZero)) ?? 0
    }
}
