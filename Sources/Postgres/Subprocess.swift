import Glibc

/// A child process with its output in a file.
struct ChildProcess: Sendable {
    let id: pid_t

    /// Starts a program in a process group of its own, so that Ctrl-C at the terminal reaches only this program, which
    /// then stops the child in its turn. Standard output and error are appended to the file; the path must be absolute.
    static func start(_ program: [String], log: String) throws(ClusterError) -> ChildProcess {
        // The working directory may be one that the child's user cannot enter.
        let arguments = ["env", "-C", "/"] + program
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Descriptors that someone opened without O_CLOEXEC must not live on in a server.
        for descriptor in (directoryEntries("/proc/self/fd") ?? []).compactMap({ Int32($0) }) where descriptor > 2 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var noSignals = sigset_t()
        var allSignals = sigset_t()
        sigemptyset(&noSignals)
        sigfillset(&allSignals)
        posix_spawnattr_setsigmask(&attributes, &noSignals)
        posix_spawnattr_setsigdefault(&attributes, &allSignals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var id = pid_t()
        let argumentPointers = arguments.map { strdup($0) } + [nil]
        defer { argumentPointers.forEach { free($0) } }
        let failure = posix_spawnp(&id, arguments[0], &actions, &attributes, argumentPointers, environ)
        guard failure == 0 else {
            throw ClusterError("cannot run \(program[0]): \(String(cString: strerror(failure)))")
        }
        return ChildProcess(id: id)
    }

    /// Runs a program to its end; blocks. Returns its exit status, or 128 + the signal that ended it.
    static func run(_ arguments: [String], log: String) throws(ClusterError) -> Int32 {
        let child = try start(arguments, log: log)
        while true {
            if let status = child.exitStatus(blocking: true) { return status }
        }
    }

    /// The exit status once the child has ended; nil while it runs.
    func exitStatus(blocking: Bool = false) -> Int32? {
        var status: Int32 = 0
        let waited = waitpid(id, &status, blocking ? 0 : WNOHANG)
        if waited == 0 || (waited == -1 && errno == EINTR) { return nil }
        // Already reaped elsewhere: ended, and nobody knows how.
        if waited == -1 { return 0 }
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    func send(_ signal: Int32) { kill(id, signal) }
}

/// The text of a small file; nil when it cannot be read.
func readFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(descriptor, &block, block.count)
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        if count < 0 && errno != EINTR { return nil }
        if count > 0 { bytes += block[..<count] }
    }
}

/// Names in a directory, sorted; nil when it cannot be read.
func directoryEntries(_ path: String) -> [String]? {
    guard let directory = opendir(path) else { return nil }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
}

func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }
