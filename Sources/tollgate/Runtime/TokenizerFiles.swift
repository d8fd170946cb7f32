import Engines
import Foundation
import Tokenizers

/// The `tokenizer.json` files that backends name, looked at on this machine.
enum TokenizerFiles {
    /// What stands in the way of counting with them, and which are not on this machine, as lines for operators.
    static func findings(of backends: [Backend]) -> (refused: [String], missing: [String]) {
        var refused: [String] = []
        var missing: [String] = []
        for backend in backends {
            guard let path = backend.settings.tokenizerPath else { continue }
            guard let document = FileManager.default.contents(atPath: path) else {
                missing.append("backend \(backend.name): \(path) is not on this machine; see that gateways have it")
                continue
            }
            do throws(TokenizerRejection) {
                _ = try Tokenizer(json: Array(document))
            } catch {
                refused.append("backend \(backend.name): \(path) cannot be counted with: \(error)")
            }
        }
        return (refused, missing)
    }
}
