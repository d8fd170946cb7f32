import Engines

/// A sound file has a length or none, and none is below zero or longer than its bytes can hold.
enum SoundFuzzing {
    static func read(_ bytes: UnsafeRawBufferPointer) {
        guard let length = SoundFile.length(of: bytes) else { return }
        precondition(length.milliseconds >= 0)
        // The longest frame of any format has 65,536 samples, and the lowest rate is one a second.
        precondition(length.milliseconds <= Int64(bytes.count + 1) * 65_536_000, "longer than its bytes can hold")
    }
}
