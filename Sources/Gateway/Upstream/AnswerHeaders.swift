import Engines
import HTTP1

/// An answer's headers, as dialects look at them.
struct AnswerHeaders: HeaderLookup {
    let headers: Headers

    func first(_ lowercaseName: String) -> String? { headers.first(named: lowercaseName) }
}
