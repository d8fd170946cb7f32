import Accounts
import Engines
import Foundation
import Glibc
public import Identity
import Pricing
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

/// The checksummed copy of the snapshot's rows beside the journal, from which a gateway restarted without Postgres
/// serves. It holds the backends' API keys, so only its owner may read it.
///
/// One line of header (`tollgate-snapshot 1 SHA256 MILLISECONDS`), then JSON.
struct SnapshotFile: Sendable {
    let path: String

    /// How old a copy may be: 24 hours.
    static let ageMaxMilliseconds: Int64 = 24 * 3_600_000
    private static let magic = "tollgate-snapshot 1"

    /// Replaces the copy so that after a crash either the old or the new one is there, whole. `now` is when the rows
    /// were known to be current.
    func write(_ rows: SnapshotRows, now: Timestamp) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let body = try encoder.encode(SnapshotRowsCoding(rows))
        let digest = digest(of: body, writtenAt: now.milliseconds)
        var data = Data("\(Self.magic) \(digest) \(now.milliseconds)\n".utf8)
        data.append(body)
        try replace(with: data)
    }

    /// The rows, if they are whole and young enough.
    func read(now: Timestamp) throws -> (rows: SnapshotRows, writtenAt: Timestamp) {
        guard let data = FileManager.default.contents(atPath: path) else { throw SnapshotFileError.missing(path: path) }
        guard let end = data.firstIndex(of: UInt8(ascii: "\n")) else { throw corrupt("it has no header") }
        let header = String(decoding: data[..<end], as: UTF8.self).split(separator: " ")
        guard header.count == 4, header[0...1].joined(separator: " ") == Self.magic, let time = Int64(header[3]) else {
            throw corrupt("its header is of another kind or version")
        }
        let body = data[(end + 1)...]
        guard digest(of: body, writtenAt: time) == header[2] else { throw corrupt("its checksum does not match") }
        let writtenAt = Timestamp(milliseconds: time)
        guard now.milliseconds - time <= Self.ageMaxMilliseconds else {
            throw SnapshotFileError.tooOld(
                path: path, writtenAt: writtenAt, limitHours: Self.ageMaxMilliseconds / 3_600_000)
        }
        do {
            return (try JSONDecoder().decode(SnapshotRowsCoding.self, from: body).rows(), writtenAt)
        } catch {
            throw corrupt("its content does not read: \(error)")
        }
    }

    private func digest(of body: Data, writtenAt: Int64) -> String {
        let bytes = Array("\(writtenAt)\n".utf8) + body
        return bytes.withUnsafeBytes { SHA256Digest(of: $0) }.hexadecimal
    }

    private func corrupt(_ reason: String) -> SnapshotFileError { .corrupt(path: path, reason: reason) }

    private func replace(with data: Data) throws {
        let temporary = path + ".tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SnapshotFileError.system(call: "open", path: temporary, code: errno) }
        do {
            defer { close(descriptor) }
            try data.withUnsafeBytes { try writeAll($0, to: descriptor, path: temporary) }
            guard fsync(descriptor) == 0 else {
                throw SnapshotFileError.system(call: "fsync", path: temporary, code: errno)
            }
        }
        guard rename(temporary, path) == 0 else {
            throw SnapshotFileError.system(call: "rename", path: path, code: errno)
        }
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw SnapshotFileError.system(call: "write", path: path, code: errno) }
            rest = rest.dropFirst(count)
        }
    }
}
