/// MP3 (and its older layers) and AAC in ADTS frames: files that are nothing but frames one after the other.
///
/// All frames are counted. What a Xing, Info or VBRI header says of their number is only compared: it is one field, and
/// players that seek are the only ones who need it.
enum MPEGAudioFile {
    static func length(of bytes: UnsafeRawBufferPointer, from start: Int) -> SoundLength? {
        var clock = SoundClock()
        var frames: Int64 = 0
        var frameBytes = 0
        var claimed: Int64?
        var last: AudioFrame?
        var offset = start
        while offset + 4 <= bytes.count {
            guard bytes[offset] == 0xFF, let frame = AudioFrame(bytes, at: offset),
                frame.isLike(last) || isFollowed(frame, at: offset, in: bytes)
            else {
                offset += 1
                continue
            }
            if last == nil, let header = XingHeader(bytes, at: offset, frame) {
                claimed = header.frames
            } else {
                clock.add(samples: frame.samples, rate: frame.rate)
                frames += 1
            }
            last = frame
            // The last frame may be cut off.
            frameBytes += min(frame.byteCount, bytes.count - offset)
            offset += frame.byteCount
        }
        // Bytes that look like a frame are everywhere: a file of frames is made of them.
        guard frames > 0, frameBytes >= (bytes.count - start) / 2 else { return nil }
        let tolerance = max(2, frames / SoundLength.tolerancePart)
        let isDisputed = claimed.map { abs($0 - frames) > tolerance } ?? false
        return SoundLength(milliseconds: clock.milliseconds, isDisputed: isDisputed)
    }

    /// Whether another frame of the same kind comes behind this one, or the end.
    private static func isFollowed(_ frame: AudioFrame, at offset: Int, in bytes: UnsafeRawBufferPointer) -> Bool {
        let next = offset + frame.byteCount
        guard next < bytes.count else { return next == bytes.count }
        return AudioFrame(bytes, at: next)?.isLike(frame) ?? false
    }
}

/// The head of one frame.
struct AudioFrame {
    let byteCount: Int
    let samples: Int64
    let rate: Int64
    /// What stays the same from frame to frame: the version, the layer and the rate.
    private let kind: UInt32
    fileprivate let isFirstVersion: Bool
    fileprivate let isMono: Bool

    /// Nil where no frame begins.
    init?(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        guard let head = bytes.big(UInt32.self, at: offset), head >> 21 == 0x7FF else { return nil }
        if head >> 17 & 3 == 0 {
            self.init(adts: head, bytes, at: offset)
        } else {
            self.init(mpeg: head)
        }
    }

    func isLike(_ other: AudioFrame?) -> Bool { other?.kind == kind }

    /// MPEG 1, 2 and 2.5 (ISO 11172-3, 13818-3); frames of free format are not taken.
    private init?(mpeg head: UInt32) {
        let version = head >> 19 & 3
        let layer = 4 - Int(head >> 17 & 3)
        let bitRate = Int(head >> 12 & 15)
        let rate = Int(head >> 10 & 3)
        guard version != 1, bitRate != 0, bitRate != 15, rate != 3 else { return nil }
        isFirstVersion = version == 3
        isMono = head >> 6 & 3 == 3
        kind = head & 0xFFFE_0C00
        let divisor: Int64 = isFirstVersion ? 1 : version == 2 ? 2 : 4
        self.rate = [44_100, 48_000, 32_000][rate] / divisor
        let table = isFirstVersion ? layer - 1 : layer == 1 ? 3 : 4
        let bits = Int64(AudioFrame.kilobits[table][bitRate - 1]) * 1000
        let padding = Int64(head >> 9 & 1)
        switch layer {
        case 1:
            samples = 384
            byteCount = Int((12 * bits / self.rate + padding) * 4)
        case 2:
            samples = 1152
            byteCount = Int(144 * bits / self.rate + padding)
        default:
            samples = isFirstVersion ? 1152 : 576
            byteCount = Int(samples / 8 * bits / self.rate + padding)
        }
    }

    /// AAC (ISO 13818-7): 1024 samples for each block of a frame.
    private init?(adts head: UInt32, _ bytes: UnsafeRawBufferPointer, at offset: Int) {
        guard head >> 20 == 0xFFF, let tail = bytes.big(UInt32.self, at: offset + 3),
            let rate = AACConfiguration.rate(index: Int(head >> 10 & 15))
        else { return nil }
        let length = Int(tail >> 13 & 0x1FFF)
        guard length >= 7, let blocks = bytes.big(UInt8.self, at: offset + 6) else { return nil }
        byteCount = length
        samples = 1024 * (Int64(blocks & 3) + 1)
        self.rate = rate
        kind = head & 0xFFFE_3C00
        isFirstVersion = false
        isMono = false
    }

    /// Kilobits a second by index: MPEG 1's three layers, then MPEG 2's first and its other two.
    private static let kilobits: [[Int]] = [
        [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
        [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    ]
}

/// A first frame that is no sound: it says how many frames come.
private struct XingHeader {
    let frames: Int64?

    init?(_ bytes: UnsafeRawBufferPointer, at offset: Int, _ frame: AudioFrame) {
        let side = frame.isFirstVersion ? (frame.isMono ? 17 : 32) : (frame.isMono ? 9 : 17)
        let place = offset + 4 + side
        if bytes.hasBytes("Xing", at: place) || bytes.hasBytes("Info", at: place) {
            let flags = bytes.big(UInt32.self, at: place + 4) ?? 0
            frames = flags & 1 == 1 ? bytes.big(UInt32.self, at: place + 8).map(Int64.init) : nil
        } else if bytes.hasBytes("VBRI", at: offset + 36) {
            frames = bytes.big(UInt32.self, at: offset + 36 + 14).map(Int64.init)
        } else {
            return nil
        }
    }
}
