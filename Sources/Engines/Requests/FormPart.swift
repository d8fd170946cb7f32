/// A part of a `multipart/form-data` body (RFC 7578): a field, or a file.
public struct FormPart: Sendable {
    public let name: String
    public let isFile: Bool
    /// The file's name as the client wrote it; nil where it wrote none.
    public let fileName: String?
    /// Where its value stands in the body.
    public let value: Range<Int>

    /// The parts of a body, each name once.
    public static func all(
        in body: UnsafeRawBufferPointer, contentType: String
    ) throws(RequestError) -> [FormPart] {
        do throws(ReadingError) {
            return try MultipartForm.parts(of: body, contentType: contentType)
        } catch {
            throw error.refusal
        }
    }
}
