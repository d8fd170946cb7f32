import HTTP1

/// A message in pieces must come to the same parts, or the same refusal, as a message at once.
enum HTTPFuzzing {
    private struct Read: Equatable {
        var heads = 0
        var headBytes: [UInt8] = []
        var body: [UInt8] = []
        var ends = 0
        var error: MessageError?
    }

    static func read(_ bytes: UnsafeRawBufferPointer) {
        let pieces = Pieces(bytes)
        var whole = Requests()
        whole.take(pieces.whole)
        var parts = Requests()
        pieces.forEach { parts.take($0) }
        precondition(whole.seen == parts.seen, "a request means something else in pieces")

        var wholeAnswer = Responses()
        wholeAnswer.take(pieces.whole)
        var answerParts = Responses()
        pieces.forEach { answerParts.take($0) }
        precondition(wholeAnswer.seen == answerParts.seen, "a response means something else in pieces")
    }

    private struct Requests {
        var parser = RequestParser()
        var seen = Read()

        mutating func take(_ piece: UnsafeRawBufferPointer) {
            guard seen.error == nil else { return }
            var offset = 0
            do throws(MessageError) {
                while let part = try parser.next(in: piece, at: &offset) {
                    switch part {
                    case .head(let head):
                        seen.heads += 1
                        seen.headBytes += Array(head.path.utf8) + Array(head.methodText.utf8)
                        head.headers.forEach { seen.headBytes += Array($0) + Array($1) }
                    case .body(let range): seen.body += Array(piece[range])
                    case .end: seen.ends += 1
                    }
                }
            } catch {
                seen.error = error
            }
        }
    }

    private struct Responses {
        var parser = ResponseParser()
        var seen = Read()

        mutating func take(_ piece: UnsafeRawBufferPointer) {
            guard seen.error == nil else { return }
            var offset = 0
            do throws(MessageError) {
                while let part = try parser.next(in: piece, at: &offset) {
                    switch part {
                    case .head(let head):
                        seen.heads += 1
                        seen.headBytes.append(UInt8(truncatingIfNeeded: head.status))
                        head.headers.forEach { seen.headBytes += Array($0) + Array($1) }
                    case .body(let range): seen.body += Array(piece[range])
                    case .end: seen.ends += 1
                    }
                }
            } catch {
                seen.error = error
            }
        }
    }
}
