import Glibc
import Synchronization

@testable import UsageJournal

/// A disk that fails, fills up or waits when a test says so. It stands on the real one.
final class FaultyFiles: JournalFileSystem {
    struct Plan: Sendable {
        /// `create` finds the disk full.
        var isFull = false
        /// The error that every write meets.
        var writeFault: Int32?
        /// With a write fault: how many bytes get through before it.
        var bytesBeforeFault = 0
        /// The error that every sync meets.
        var syncFault: Int32?
        /// Syncs wait until this is false again.
        var holdsSyncs = false
        var syncs = 0
        var writes = 0
    }

    let plan = Mutex(Plan())

    func set(_ change: @Sendable (inout Plan) -> Void) { plan.withLock { change(&$0) } }

    var syncs: Int { plan.withLock { $0.syncs } }

    func create(_ path: String, bytes: Int) throws(FileFault) -> any JournalFile {
        guard !plan.withLock({ $0.isFull }) else { throw FileFault(call: "fallocate", path: path, code: ENOSPC) }
        return FaultyFile(files: self, real: try SystemFiles().create(path, bytes: bytes))
    }

    func rename(_ old: String, to new: String) throws(FileFault) { try SystemFiles().rename(old, to: new) }

    func remove(_ path: String) { SystemFiles().remove(path) }
}

private struct FaultyFile: JournalFile {
    let files: FaultyFiles
    let real: any JournalFile

    var path: String { real.path }

    func write(_ bytes: [UInt8], at offset: Int64) throws(FileFault) {
        let plan = files.plan.withLock { plan in
            plan.writes += 1
            return plan
        }
        guard let code = plan.writeFault else { return try real.write(bytes, at: offset) }
        try real.write(Array(bytes.prefix(plan.bytesBeforeFault)), at: offset)
        throw FileFault(call: "write", path: path, code: code)
    }

    func synchronize() throws(FileFault) {
        files.set { $0.syncs += 1 }
        while files.plan.withLock({ $0.holdsSyncs }) { usleep(500) }
        if let code = files.plan.withLock({ $0.syncFault }) {
            throw FileFault(call: "fdatasync", path: path, code: code)
        }
        try real.synchronize()
    }

    func truncate(to size: Int64) throws(FileFault) { try real.truncate(to: size) }

    func close() { real.close() }
}
