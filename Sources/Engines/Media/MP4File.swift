/// MP4, M4A and QuickTime (ISO 14496-12): boxes in boxes. The tracks of sound are looked at, in the movie's own box
/// wherever it stands, and in the fragments behind it.
///
/// A track says its length three times: in its header, as the sum of its samples' times, and in the number of its
/// samples. Decoders play the samples.
enum MP4File {
    /// Tracks that are read; more are passed over.
    static let tracksMax = 64

    /// Whether the file begins with one of the boxes that such files begin with.
    static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let names: [StaticString] = ["ftyp", "styp", "moov", "mdat", "free", "skip", "wide", "pnot", "moof"]
        return names.contains { bytes.hasBytes($0, at: 4) }
    }

    static func length(of bytes: UnsafeRawBufferPointer) -> SoundLength? {
        var movie = MP4Movie(byteCount: bytes.count)
        MP4Box.each(in: bytes, 0..<bytes.count) { box in
            if box.isNamed("moov", bytes) { movie.read(moov: box.content, bytes) }
            if box.isNamed("moof", bytes) { movie.read(moof: box.content, bytes) }
        }
        return movie.length
    }
}

/// A box, which may be longer than the file.
struct MP4Box {
    let name: Int
    let content: Range<Int>

    func isNamed(_ text: StaticString, _ bytes: UnsafeRawBufferPointer) -> Bool { bytes.hasBytes(text, at: name) }

    /// Shows the boxes of `range` in their order.
    static func each(in bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ body: (MP4Box) -> Void) {
        var offset = range.lowerBound
        while offset + 8 <= range.upperBound, let size = bytes.big(UInt32.self, at: offset) {
            var start = offset + 8
            var length = Int(size)
            if size == 1 {
                // A size of 64 bits behind the name.
                guard let large = bytes.big(UInt64.self, at: start) else { return }
                start += 8
                length = Int(clamping: large)
            } else if size == 0 {
                length = range.upperBound - offset
            }
            guard length >= start - offset else { return }
            let end = length > range.upperBound - offset ? range.upperBound : offset + length
            guard start <= end else { return }
            body(MP4Box(name: offset + 4, content: start..<end))
            offset = end
        }
    }
}

/// The tracks of a movie.
struct MP4Movie {
    private let byteCount: Int
    private var tracks: [MP4Track] = []
    /// What the movie's own header says, edits of its tracks included.
    private var headerMilliseconds: Int64 = 0

    init(byteCount: Int) { self.byteCount = byteCount }

    mutating func read(moov range: Range<Int>, _ bytes: UnsafeRawBufferPointer) {
        MP4Box.each(in: bytes, range) { box in
            if box.isNamed("trak", bytes), tracks.count < MP4File.tracksMax {
                var track = MP4Track()
                track.read(trak: box.content, bytes)
                tracks.append(track)
            } else if box.isNamed("mvhd", bytes) {
                headerMilliseconds = MP4Movie.duration(mvhd: box.content.lowerBound, bytes)
            } else if box.isNamed("mvex", bytes) {
                MP4Box.each(in: bytes, box.content) { box in
                    guard box.isNamed("trex", bytes), let id = bytes.big(UInt32.self, at: box.content.lowerBound + 4),
                        let duration = bytes.big(UInt32.self, at: box.content.lowerBound + 12),
                        let index = tracks.firstIndex(where: { $0.id == id })
                    else { return }
                    tracks[index].usualDuration = Int64(duration)
                }
            }
        }
    }

    mutating func read(moof range: Range<Int>, _ bytes: UnsafeRawBufferPointer) {
        MP4Box.each(in: bytes, range) { box in
            guard box.isNamed("traf", bytes) else { return }
            var fragment: (index: Int, duration: Int64)?
            MP4Box.each(in: bytes, box.content) { box in
                if box.isNamed("tfhd", bytes) {
                    fragment = fragmentHead(box.content, bytes)
                } else if box.isNamed("trun", bytes), let fragment {
                    tracks[fragment.index].read(run: box.content, usualDuration: fragment.duration, bytes)
                }
            }
        }
    }

    /// Which track a fragment is of, and how long a sample is that does not say it.
    private func fragmentHead(_ range: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> (index: Int, duration: Int64)? {
        guard let flags = bytes.big(UInt32.self, at: range.lowerBound),
            let id = bytes.big(UInt32.self, at: range.lowerBound + 4),
            let index = tracks.firstIndex(where: { $0.id == id })
        else { return nil }
        guard flags & 0x8 != 0 else { return (index, tracks[index].usualDuration) }
        let place = range.lowerBound + 8 + (flags & 0x1 != 0 ? 8 : 0) + (flags & 0x2 != 0 ? 4 : 0)
        return bytes.big(UInt32.self, at: place).map { (index, Int64($0)) }
    }

    private static func duration(mvhd start: Int, _ bytes: UnsafeRawBufferPointer) -> Int64 {
        let isLong = bytes.big(UInt8.self, at: start) == 1
        let timescale = bytes.big(UInt32.self, at: start + (isLong ? 20 : 12)) ?? 0
        let duration =
            isLong ? bytes.big(UInt64.self, at: start + 24) : bytes.big(UInt32.self, at: start + 16).map(UInt64.init)
        return SoundClock.milliseconds(samples: Int64(clamping: duration ?? 0), rate: Int64(timescale))
    }

    var length: SoundLength? {
        tracks.compactMap { $0.length(movieMilliseconds: headerMilliseconds, byteCount: byteCount) }
            .max { $0.milliseconds < $1.milliseconds }
    }
}
