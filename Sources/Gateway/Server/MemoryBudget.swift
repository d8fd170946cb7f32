import Glibc
import Synchronization

/// What the bodies of all requests together may take of memory: one budget over all connections of a gateway.
final class MemoryBudget: Sendable {
    let bytesMax: Int
    private let bytes = Atomic<Int>(0)

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// Bytes that bodies hold now.
    var bytesHeld: Int { bytes.load(ordering: .relaxed) }

    /// Whether so many bytes more would fit now.
    func hasRoom(for more: Int) -> Bool { more <= bytesMax - bytesHeld }

    /// Takes so many bytes; false, and takes nothing, when they do not fit.
    fileprivate func take(_ more: Int) -> Bool {
        guard bytes.add(more, ordering: .relaxed).newValue <= bytesMax else {
            bytes.subtract(more, ordering: .relaxed)
            return false
        }
        return true
    }

    fileprivate func giveBack(_ count: Int) {
        let left = bytes.subtract(count, ordering: .relaxed).newValue
        assert(left >= 0, "more given back than was taken")
    }
}

/// What one body holds of the budget. Gives it back when told to, with the last reference at the latest.
final class BodyCharge {
    private let budget: MemoryBudget
    private(set) var bytes = 0

    /// Bodies up to this size are not charged: a connection has one at a time, so that all together hold no more than
    /// this for each connection.
    static let freeBytes = 4096

    init(_ budget: MemoryBudget) { self.budget = budget }

    deinit { release() }

    /// Charges a body that has grown to this size; false when the budget has no room for it.
    func grow(to size: Int) -> Bool {
        guard size > bytes else { return true }
        guard budget.take(size - bytes) else { return false }
        bytes = size
        return true
    }

    /// The body is gone.
    func release() {
        guard bytes > 0 else { return }
        budget.giveBack(bytes)
        bytes = 0
    }
}

/// The memory of the machine, or of the control group that the program runs in where that has less.
enum MachineMemory {
    static let bytes: Int = {
        let installed = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        let granted = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].compactMap(number)
        return ([installed] + granted).filter { $0 > 0 }.min() ?? 1 << 30
    }()

    /// The number that a file begins with; nil where there is none, such as `max`.
    private static func number(inFile path: String) -> Int? {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return Int(String(decoding: buffer[..<count].prefix { (0x30...0x39).contains($0) }, as: UTF8.self))
    }
}
