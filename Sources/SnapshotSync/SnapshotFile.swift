import Foundation
import Glibc
public import Identity
import Storage

/// Why a gateway's own copy of its snapshot cannot be used.
public enum SnapshotFileError: Error, Equatable, Sendable, CustomStringConvertible {
    case missing(path: String)
    case corrupt(path: String, reason: String)
    case tooOld(path: String, writtenAt: Timestamp, limitHours: Int64)
    case system(call: String, path: String, code: Int32)

    public var description: String {
        switch self {
        case .missing(let path):
            "there is no snapshot at \(path): start this gateway once with Postgres within reach"
        case .corrupt(let path, let reason):
            "the snapshot at \(path) cannot be used (\(reason)): start with Postgres within reach, which writes it anew"
        case .tooOld(let path, let writtenAt, let hours):
            "the snapshot at \(path) is of \(writtenAt), older than \(hours) hours: keys may have been revoked since. "
                + "Start with Postgres within reach"
        case .system(let call, let path, let code):
            "\(call) of \(path) failed: \(String(cString: strerror(code)))"
        }
    }
}

/// The checksummed copy of the snapshot beside the journal, from which a gateway restarted without Postgres serves. It
/// holds the backends' credentials encrypted or not at all, and only its owner may read it.
struct SnapshotFile: Sendable {
    let path: String
    /// Opens what the copy holds encrypted of the installation itself.
    var keyring: SecretKeyring?

    /// How old a copy may be: 24 hours.
    static let ageMaxMilliseconds: Int64 = 24 * 3_600_000

    /// The state that the file holds, if it is whole and young enough, and the time at which it was current.
    ///
    /// A last frame that was being written when the gateway ended is not read: the file is then as it was before.
    func read(now: Timestamp) throws -> (state: SnapshotState, writtenAt: Timestamp) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw errno == ENOENT ? SnapshotFileError.missing(path: path) : systemError("open")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw systemError("fstat") }
        var rest = Int(status.st_size)
        let magic = SnapshotFrame.magic.utf8.count
        guard rest >= magic, try bytes(magic, of: descriptor).elementsEqual(SnapshotFrame.magic.utf8) else {
            throw corrupt("its header is of another kind or version")
        }
        rest -= magic
        var state = SnapshotState(now: now)
        var chain = SnapshotFrame.firstChain
        var writtenAt: Timestamp?
        while let frame = try nextFrame(of: descriptor, rest: &rest, chain: &chain, hasWhole: writtenAt != nil) {
            if frame.kind == .part || frame.kind == .difference {
                state.apply(try part(frame.payload), now: now)
            }
            guard frame.kind != .part else { continue }
            state.reach(ChangeMark(number: frame.change))
            writtenAt = Timestamp(milliseconds: frame.time)
        }
        guard let writtenAt else { throw corrupt("it ends before its end") }
        guard now.milliseconds - writtenAt.milliseconds <= Self.ageMaxMilliseconds else {
            throw SnapshotFileError.tooOld(
                path: path, writtenAt: writtenAt, limitHours: Self.ageMaxMilliseconds / 3_600_000)
        }
        return (state, writtenAt)
    }

    private struct Frame {
        let kind: SnapshotFrame.Kind
        let time, change: Int64
        let payload: ArraySlice<UInt8>
    }

    /// Nil at the end.
    private func nextFrame(
        of descriptor: Int32, rest: inout Int, chain: inout SHA256Digest, hasWhole: Bool
    ) throws -> Frame? {
        guard rest > 0 else { return nil }
        let headerCount = SnapshotFrame.headerByteCount
        guard rest >= headerCount else { return try tornEnd(hasWhole) }
        let header = try bytes(headerCount, of: descriptor)
        var (length, kind, time, change) = (UInt32(0), UInt8(0), Int64(0), Int64(0))
        try header.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            length = try reader.integer()
            kind = try reader.integer()
            time = try reader.integer()
            change = try reader.integer()
        }
        let bodyCount = Int(length) + SnapshotFrame.digestByteCount
        // A file that lost its last write with the machine's power may end in zeros.
        guard rest >= headerCount + bodyCount, kind != 0 else { return try tornEnd(hasWhole) }
        let body = try bytes(bodyCount, of: descriptor)
        rest -= headerCount + bodyCount
        let payload = body.dropLast(SnapshotFrame.digestByteCount)
        var writer = ByteWriter()
        writer.bytes.reserveCapacity(SnapshotFrame.digestByteCount + headerCount + payload.count)
        writer.digest(chain)
        writer.bytes += header
        writer.bytes += payload
        chain = writer.bytes.withUnsafeBytes { SHA256Digest(of: $0) }
        guard let known = SnapshotFrame.Kind(rawValue: kind), chain.bytes.elementsEqual(body[payload.endIndex...])
        else {
            throw corrupt("its checksum does not match")
        }
        return Frame(kind: known, time: time, change: change, payload: payload)
    }

    private func tornEnd(_ hasWhole: Bool) throws -> Frame? {
        guard hasWhole else { throw corrupt("it ends before its end") }
        return nil
    }

    private func part(_ payload: ArraySlice<UInt8>) throws -> SnapshotPart {
        do {
            return try payload.withUnsafeBytes { try SnapshotPartCoding.part(of: $0, openedBy: keyring) }
        } catch {
            throw corrupt("its content does not read: \(error)")
        }
    }

    private func bytes(_ count: Int, of descriptor: Int32) throws -> [UInt8] {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
            while done < count {
                let got = Glibc.read(descriptor, buffer.baseAddress.map { $0 + done }, count - done)
                if got < 0 && errno == EINTR { continue }
                guard got > 0 else {
                    failed = true
                    return
                }
                done += got
            }
        }
        if failed { throw systemError("read") }
        return bytes
    }

    private func corrupt(_ reason: String) -> SnapshotFileError { .corrupt(path: path, reason: reason) }

    private func systemError(_ call: String) -> SnapshotFileError { .system(call: call, path: path, code: errno) }
}
