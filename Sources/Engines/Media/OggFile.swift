/// Ogg (RFC 3533): pages with the packets of one or more streams of Opus, Vorbis, FLAC or Speex.
///
/// A page says how far its stream has come (its granule position); the packets of most codecs say it too, and they are
/// what is played. Streams one behind the other add up, of streams side by side the longest counts.
enum OggFile {
    /// Streams that are told apart; more are passed over.
    static let streamsMax = 32

    static func length(of bytes: UnsafeRawBufferPointer) -> SoundLength? {
        var reading = OggReading()
        var offset = 0
        while offset + OggPage.headBytes <= bytes.count {
            guard bytes[offset] == UInt8(ascii: "O"), let page = OggPage(bytes, at: offset) else {
                // Decoders look for the next page behind what is none.
                offset += 1
                continue
            }
            reading.take(page, bytes)
            offset = page.end
        }
        return reading.length(byteCount: bytes.count)
    }
}

/// One page: a head, the sizes of its pieces, and the pieces.
private struct OggPage {
    let serial: UInt32
    let granule: Int64
    let isContinued: Bool
    let isFirst: Bool
    let sizes: Range<Int>
    let end: Int

    static let headBytes = 27

    init?(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        guard bytes.hasBytes("OggS", at: offset), let serial = bytes.little(UInt32.self, at: offset + 14),
            let granule = bytes.little(Int64.self, at: offset + 6), offset + OggPage.headBytes <= bytes.count
        else { return nil }
        self.serial = serial
        self.granule = granule
        isContinued = bytes[offset + 5] & 1 != 0
        isFirst = bytes[offset + 5] & 2 != 0
        let start = offset + OggPage.headBytes
        sizes = start..<min(bytes.count, start + Int(bytes[offset + 26]))
        end = min(bytes.count, bytes[sizes].reduce(sizes.upperBound) { $0 + Int($1) })
    }
}

/// What the pages said so far.
private struct OggReading {
    private var streams: [OggStream] = []
    /// Whether a page has come that is no stream's first: a first page then begins the next link of a chain.
    private var isInside = false
    private var done: Int64 = 0
    private var isDisputed = false

    mutating func take(_ page: OggPage, _ bytes: UnsafeRawBufferPointer) {
        if page.isFirst {
            if isInside { endLink(byteCount: bytes.count) }
            if streams.count < OggFile.streamsMax { streams.append(OggStream(serial: page.serial)) }
        } else {
            isInside = true
        }
        guard let index = streams.lastIndex(where: { $0.serial == page.serial }) else { return }
        streams[index].take(page, bytes)
    }

    mutating func length(byteCount: Int) -> SoundLength? {
        endLink(byteCount: byteCount)
        return done > 0 ? SoundLength(milliseconds: done, isDisputed: isDisputed) : nil
    }

    private mutating func endLink(byteCount: Int) {
        let lengths = streams.compactMap { $0.length(byteCount: byteCount) }
        if let longest = lengths.max(by: { $0.milliseconds < $1.milliseconds }) {
            let (sum, overflows) = done.addingReportingOverflow(longest.milliseconds)
            done = overflows ? .max : sum
            isDisputed = isDisputed || longest.isDisputed
        }
        streams = []
        isInside = false
    }
}

private struct OggStream {
    let serial: UInt32
    private var packets = PacketClock.unknown
    private var clock = SoundClock()
    /// What granule positions count; zero for what is no sound.
    private var granuleRate: Int64 = 0
    private var granuleStart: Int64 = 0
    private var granuleEnd: Int64 = 0
    /// Headers that are still to come before the first packet of sound.
    private var headersLeft = 0
    private var hasBegun = false
    /// The end of the setup header so far.
    private var setup: [UInt8] = []
    private static let setupBytesMax = 4096

    init(serial: UInt32) { self.serial = serial }

    mutating func take(_ page: OggPage, _ bytes: UnsafeRawBufferPointer) {
        granuleEnd = max(granuleEnd, page.granule)
        var isStart = !page.isContinued
        var offset = page.sizes.upperBound
        var packetStart = offset
        for size in bytes[page.sizes] {
            offset = min(bytes.count, offset + Int(size))
            // A piece of 255 bytes goes on in the next one.
            guard size < 255 else { continue }
            takePiece(bytes.part(packetStart..<offset), isStart: isStart, isEnd: true)
            packetStart = offset
            isStart = true
        }
        if packetStart < offset { takePiece(bytes.part(packetStart..<offset), isStart: isStart, isEnd: false) }
    }

    private mutating func takePiece(_ piece: UnsafeRawBufferPointer, isStart: Bool, isEnd: Bool) {
        if !hasBegun {
            hasBegun = true
            return begin(piece)
        }
        guard headersLeft > 0 else {
            if isStart { packets.add(piece, to: &clock) }
            return
        }
        if case .vorbis(var vorbis) = packets, headersLeft == 1 {
            setup.append(contentsOf: piece)
            if setup.count > 2 * OggStream.setupBytesMax {
                setup.removeFirst(setup.count - OggStream.setupBytesMax)
            }
            if isEnd {
                setup.withUnsafeBytes { vorbis.take(setup: $0) }
                packets = .vorbis(vorbis)
                setup = []
            }
        }
        if isEnd { headersLeft -= 1 }
    }

    /// The first packet names the codec.
    private mutating func begin(_ packet: UnsafeRawBufferPointer) {
        if packet.hasBytes("OpusHead", at: 0) {
            packets = .opus
            granuleRate = OpusPacket.rate
            granuleStart = packet.little(UInt16.self, at: 10).map(Int64.init) ?? 0
            headersLeft = 1
        } else if let vorbis = VorbisClock(identification: packet) {
            packets = .vorbis(vorbis)
            granuleRate = vorbis.rate
            headersLeft = 2
        } else if packet.hasBytes("\u{7F}FLAC", at: 0), let info = FLACFile.StreamInfo(packet, at: 17) {
            packets = .flac(rate: info.rate)
            granuleRate = info.rate
            // Its other metadata blocks are no frames, and are not taken for any.
        } else if packet.hasBytes("Speex   ", at: 0), let rate = packet.little(UInt32.self, at: 36) {
            granuleRate = Int64(rate)
        }
    }

    func length(byteCount: Int) -> SoundLength? {
        guard granuleRate > 0 else { return nil }
        let header = SoundClock.milliseconds(samples: max(0, granuleEnd - granuleStart), rate: granuleRate)
        guard packets.isKnown else { return SoundLength(header: header, byteCount: byteCount) }
        // What an encoder puts in front is not played.
        let lead = SoundClock.milliseconds(samples: granuleStart, rate: granuleRate)
        let sound = clock.milliseconds
        return sound > 0 ? SoundLength(header: header, sound: max(1, sound - min(lead, sound / 2))) : nil
    }
}
