import Foundation
import TestSupport

/// Which requests a journal directory says were accepted: a second reader, written from docs/journal.md alone, that
/// shares no code with the program.
enum JournalFrames {
    private static let headerBytes = 64
    private static let frameHeaderBytes = 10
    private static let openKind: UInt8 = 1

    /// The ids of all open records in the directory's segments, as clients are told them.
    static func acceptedRequests(in directory: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".seg") }.sorted()
            .flatMap { try acceptedRequests(segment: "\(directory)/\($0)") }
    }

    private static func acceptedRequests(segment path: String) throws -> [String] {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        guard bytes.count >= headerBytes, bytes.starts(with: Array("TOLLGATE".utf8)) else {
            throw ProgramFailure("\(path) does not begin as a segment does")
        }
        var found: [String] = []
        var place = headerBytes
        while place + frameHeaderBytes <= bytes.count {
            let length = (0..<4).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
            let payload = place + frameHeaderBytes
            if length == 0 || payload + length > bytes.count { break }
            if bytes[place + 4] == openKind {
                // A record begins with its request's id: two numbers of 8 bytes, each with its lowest byte first.
                let id = bytes[payload..<payload + 8].reversed() + bytes[payload + 8..<payload + 16].reversed()
                found.append("req_" + id.map(hexadecimal).joined())
            }
            place = payload + length
        }
        return found
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
