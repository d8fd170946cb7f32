import Foundation

/// Reads drawn documents with poppler's programs: another reader than the writer.
enum PDFReader {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// The text as it stands on the pages, one form feed after each page.
    static func text(_ pdf: [UInt8]) throws -> String { try run("pdftotext", ["-layout"], pdf, ["-"]) }

    /// Title, author, dates, the number of pages.
    static func facts(_ pdf: [UInt8]) throws -> [String: String] {
        let lines = try run("pdfinfo", ["-isodates"], pdf, []).split(separator: "\n")
        return Dictionary(
            lines.compactMap { line in
                line.firstIndex(of: ":").map { colon in
                    (String(line[..<colon]), line[line.index(after: colon)...].drop { $0 == " " }.description)
                }
            }, uniquingKeysWith: { first, _ in first })
    }

    static func pages(_ pdf: [UInt8]) throws -> [String] {
        try text(pdf).split(separator: "\u{0C}", omittingEmptySubsequences: true).map(String.init)
    }

    private static func run(
        _ program: String, _ options: [String], _ pdf: [UInt8], _ trailing: [String],
    ) throws -> String {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("tollgate-\(UUID().uuidString).pdf")
        try Data(pdf).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + options + [file.path] + trailing
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(program) ended with \(process.terminationStatus); is poppler-utils there?")
        }
        return String(decoding: data, as: UTF8.self)
    }
}

extension String {
    /// How often `part` stands in this text.
    func count(of part: String) -> Int { components(separatedBy: part).count - 1 }
}

/// FNV-1a, to compare bytes across processes.
func fingerprint(_ bytes: [UInt8]) -> String {
    let hash = bytes.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    return "\(bytes.count) bytes, \(String(hash, radix: 16))"
}
