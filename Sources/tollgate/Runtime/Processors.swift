import Foundation

/// The machine's processors.
enum Processors {
    /// Those that this process may run on: fewer than there are inside a container's or `taskset`'s bounds, where one
    /// event loop a processor of the machine would only have loops wait for one another.
    static var usableCount: Int {
        let all = ProcessInfo.processInfo.activeProcessorCount
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return all }
        return allowedCount(inStatus: status) ?? all
    }

    /// The processors of the mask `Cpus_allowed` of `/proc/PID/status` (proc(5)): hexadecimal, in groups of eight
    /// digits with commas between.
    static func allowedCount(inStatus status: String) -> Int? {
        let name = "Cpus_allowed:"
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
        let digits = line.dropFirst(name.count).filter { !$0.isWhitespace && $0 != "," }
        let count = digits.reduce(into: 0) { $0 += $1.hexDigitValue?.nonzeroBitCount ?? 0 }
        return count > 0 ? count : nil
    }
}
