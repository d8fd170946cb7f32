import Foundation
import Glibc
import Postgres
import TestSupport

/// A TCP port on loopback that leads to a database's socket and holds everything back a little, as a Postgres in
/// another place does.
final class DelayingProxy: Sendable {
    let port: Int
    private let listener: Int32
    private let target: String
    private let database: String
    private let oneWayMilliseconds: UInt32

    /// How a program connects through it.
    var url: String { "\(database)&host=127.0.0.1&port=\(port)" }

    /// - Parameter roundTripMilliseconds: added to each question and its answer, half of it each way.
    init(to database: TestDatabase, roundTripMilliseconds: UInt32) throws {
        let keywords = database.configuration.keywords
        target = "\(keywords["host"] ?? "")/.s.PGSQL.\(keywords["port"] ?? "")"
        self.database = "postgresql:///\(keywords["dbname"] ?? "")?user=\(keywords["user"] ?? "")"
        oneWayMilliseconds = roundTripMilliseconds / 2
        port = try freePort()
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var reuse: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0, listen(listener, 64) == 0 else {
            throw ProgramFailure("no proxy: \(String(cString: strerror(errno)))")
        }
        Thread.detachNewThread { [self] in accept() }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { return }
            var now: Int32 = 1
            setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &now, socklen_t(MemoryLayout<Int32>.size))
            guard let server = connect() else {
                close(client)
                continue
            }
            let ways = WaitingGroup(count: 2) {
                close(client)
                close(server)
            }
            for (from, to) in [(client, server), (server, client)] {
                Thread.detachNewThread { [self] in
                    pump(from, to)
                    ways.leave()
                }
            }
        }
    }

    private func connect() -> Int32? {
        let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: target.utf8.prefix($0.count - 1)) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(server, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if connected == 0 { return server }
        close(server)
        return nil
    }

    private func pump(_ from: Int32, _ to: Int32) {
        var block = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(from, &block, block.count)
            guard count > 0 else { break }
            usleep(oneWayMilliseconds * 1_000)
            var rest = block[..<count]
            while !rest.isEmpty {
                let sent = rest.withUnsafeBytes { send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                guard sent > 0 else { break }
                rest = rest.dropFirst(sent)
            }
        }
        shutdown(to, Int32(SHUT_WR))
        shutdown(from, Int32(SHUT_RD))
    }
}

/// Does something when so many have left.
private final class WaitingGroup: Sendable {
    private let group = DispatchGroup()

    init(count: Int, then: @escaping @Sendable () -> Void) {
        for _ in 0..<count { group.enter() }
        group.notify(queue: .global(), execute: then)
    }

    func leave() { group.leave() }
}
