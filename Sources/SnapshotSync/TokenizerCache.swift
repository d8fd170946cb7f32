import Engines
import Foundation
import Tokenizers

/// The tokenizers that backends name, read from this machine's disk: each once, and again when its file changed.
struct TokenizerCache {
    /// How many different files are read; what goes beyond is said and not counted with.
    static let filesMax = 64

    private struct Entry {
        let modified: Date?
        let tokenizer: Tokenizer?
    }

    private var entries: [String: Entry] = [:]

    /// Those that can be counted with, by path.
    var tokenizers: [String: Tokenizer] { entries.compactMapValues(\.tokenizer) }

    /// Makes the cache hold what these models' backends name; says what cannot be read or counted with.
    mutating func fill(for models: [CatalogueModel]) -> [String] {
        let backends = models.flatMap(\.routes).map(\.backend)
        let paths = Set(backends.compactMap(\.settings.tokenizerPath)).sorted()
        var complaints: [String] = []
        if paths.count > Self.filesMax {
            complaints.append("\(paths.count) tokenizers are named; only \(Self.filesMax) are read")
        }
        var filled: [String: Entry] = [:]
        for path in paths.prefix(Self.filesMax) {
            // A file that is not there has no date; reading it says so.
            let modified = (try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate]) as? Date
            if let known = entries[path], known.modified == modified, known.tokenizer != nil {
                filled[path] = known
                continue
            }
            let (tokenizer, complaint) = Self.read(path)
            filled[path] = Entry(modified: modified, tokenizer: tokenizer)
            if let complaint { complaints.append(complaint) }
        }
        entries = filled
        return complaints
    }

    private static func read(_ path: String) -> (Tokenizer?, complaint: String?) {
        guard let document = FileManager.default.contents(atPath: path) else {
            return (nil, "\(path) cannot be read: put the model's tokenizer.json there")
        }
        do throws(TokenizerRejection) {
            return (try Tokenizer(json: Array(document)), nil)
        } catch {
            return (nil, "\(path) cannot be counted with: \(error)")
        }
    }
}
